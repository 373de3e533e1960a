"""What is sent under an image's name, and what the message says that it is."""

from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile

import numpy as np
import PIL.Image
import pytest

from hiseg.core.errors import UnsupportedImage
from hiseg.images.kinds import HEAD_BYTES, MEDIA_TYPES, sniff
from tests.service.images.files import encoded, picture

JPEG, PNG, WEBP = (encoded(picture("RGB"), form) for form in ("JPEG", "PNG", "WEBP"))


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", JPEG)
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def by_pillow(form: str) -> bytes:
    return encoded(picture("L" if form == "PPM" else "RGB"), form)


OTHERS = {
    "a GIF image": [by_pillow("GIF")],
    "a BMP image": [by_pillow("BMP")],
    "a TIFF image": [by_pillow("TIFF"), b"MM\0*\0\0\0\x08"],
    "an icon": [by_pillow("ICO")],
    "a PNM image": [by_pillow("PPM"), b"P3 1 1 255 0 0 0"],
    "a JPEG 2000 image": [by_pillow("JPEG2000")],
    "a DDS texture": [by_pillow("DDS")],
    "an AVIF image": [b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"],
    "a HEIC image": [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypmif1\0\0\0\0heic", b"\0\0\0\x18ftyphevc"],
    "a camera's raw file": [b"\0\0\0\x18ftypcrx \0\0\0\1", b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201"],
    "a QuickTime video": [b"\0\0\0\x14ftypqt  \0\0\0\0"],
    "an MP4 video": [b"\0\0\0\x20ftypisom\0\0\2\0isomiso2"],
    "a video": [b"RIFF\1\2\3\4AVI LIST", b"\x1aE\xdf\xa3\x01\0"],
    "a sound": [b"RIFF\1\2\3\4WAVEfmt ", b"ID3\4\0"],
    "a JPEG XL image": [b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a\xfa\x1f"],
    "a Photoshop file": [b"8BPS\0\1"],
    "a PDF document": [b"%PDF-1.7\n%\xe2\xe3"],
    "an SVG drawing": [b"<svg xmlns='x'/>", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<svg/>"],
    "an HTML page": [b"<!DOCTYPE html><html>404</html>", b"\n\n <html><body>login"],
    "XML or HTML": [b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", b"<h1>502 Bad Gateway</h1>"],
    "JSON": [b'{"error": "not found"}', b" [1]"],
    "an archive or compressed": [zipped(), gzip.compress(JPEG)],
    "a NumPy array": [array()],
    "a data: URI": [b"data:image/jpeg;base64," + base64.b64encode(JPEG)],
    "an image in base64": [base64.b64encode(data) for data in (JPEG, PNG, WEBP)],
    "a multipart body": [b'--x\r\ncontent-disposition: form-data; name="image"\r\n\r\n'],
    "a pointer of Git LFS": [b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"],
    "an image that was read as text": [
        JPEG.decode("utf-8", "replace").encode(),
        PNG.decode("latin-1").encode(),
        JPEG.decode("latin-1").encode(),
    ],
    "a PNG image that was transferred as text": [PNG.replace(b"\r\n", b"\n"), PNG.replace(b"\n", b"\r\n")],
    "a JPEG image behind 2 other bytes": [b"\r\n" + JPEG],
    "a JPEG image behind 3 other bytes": [b"\xef\xbb\xbf" + JPEG],
    "a PNG image behind 40 other bytes": [b"Notice: undefined variable in x on 1\n<br>"[:40] + PNG],
    "a WEBP image behind 1 other bytes": [b"\n" + WEBP],
    "nothing but zeros": [bytes(5000), b"\0"],
    "text": [b"404 page not found", b"File not found.\n"],
}


@pytest.mark.parametrize("looks", OTHERS)
def test_what_a_file_looks_to_be_is_said(looks: str) -> None:
    for data in OTHERS[looks]:
        with pytest.raises(UnsupportedImage) as raised:
            sniff(data)
        assert raised.value.detail.startswith(f"this is {looks}")
        assert raised.value.detail.endswith("; image/jpeg, image/png, image/webp are taken")
        assert (raised.value.field, raised.value.limit) == ("image", list(MEDIA_TYPES))


@pytest.mark.parametrize("data", [b"\1\2\3\4", bytes(range(128, 256)), b"\xff\xd8", b"\x00\x01" * 500])
def test_what_nobody_knows_is_none_of_the_types(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match=re.escape("the image is none of image/jpeg, image/png, image/webp")):
        sniff(data)


def test_types_that_are_read_are_known_by_pillows_names() -> None:
    assert [sniff(data) for data in (JPEG, PNG, WEBP)] == list(MEDIA_TYPES.values())
    for data in (JPEG, PNG, WEBP):
        with PIL.Image.open(io.BytesIO(data)) as opened:
            assert sniff(data) == opened.format


def test_no_more_than_the_beginning_is_looked_at() -> None:
    with pytest.raises(UnsupportedImage, match="none of"):
        sniff(b"\1" * HEAD_BYTES + JPEG)
