"""Tells what a file is by its first bytes, whatever it is called: also of those that aren't read, to say so.

People send what a phone took as HEIC, an error page that was saved under the image's name, or base64. None of it is
read further than :data:`HEAD_BYTES`.
"""

from __future__ import annotations

import re

from hiseg.core.errors import UnsupportedImage
from hiseg.images.limits import IMAGE_FIELD

MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""Media types that are read, and Pillow's names of them."""
HEAD_BYTES = 1024
"""Bytes that are looked at."""
_MAX_STRAY_BYTES = 64
"""Bytes before an image, such as the line that a script has printed, behind which it is recognised."""
_READ = {"JPEG": rb"\xff\xd8\xff", "PNG": rb"\x89PNG\r\n\x1a\n", "WEBP": rb"RIFF....WEBP"}
_OTHERS = {
    rb"GIF8": "a GIF image",
    rb"BM.{4}\0{4}": "a BMP image",
    rb"II\x2a\0.{4}CR|II(RO|RS|U\0)|FUJIFILMCCD-RAW|\0MRM|.{4}ftypcrx ": "a camera's raw file",
    rb"II\x2a\0|MM\0\x2a|II\x2b\0|MM\0\x2b": "a TIFF image, or a camera's raw file",
    rb".{4}ftyp(avi[fos]|MA1[AB]|mif1.{0,40}avif)": "an AVIF image",
    rb".{4}ftyp(hei[cfmsx]|hev[cxms]|mif[12]|msf1)": "a HEIC image",
    rb".{4}ftyp(qt  )|.{4}(moov|wide|mdat)": "a QuickTime video",
    rb".{4}ftyp": "an MP4 video",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "a JPEG 2000 image",
    rb"\0\0\0\x0cJXL |\xff\x0a": "a JPEG XL image",
    rb"II\xbc\x01": "a JPEG XR image",
    rb"\0\0[\x01\x02]\0[^\0]\0": "an icon",
    rb"8BPS": "a Photoshop file",
    rb"gimp xcf": "a GIMP file",
    rb"\x8aMNG|\x8bJNG": "an MNG or JNG image",
    rb"P[1-7fF]\s": "a PNM image",
    rb"v/1\x01": "an OpenEXR image",
    rb"#\?RADIANCE|#\?RGBE": "a Radiance image",
    rb"qoif": "a QOI image",
    rb"DDS ": "a DDS texture",
    rb"SIMPLE  =": "a FITS image",
    rb".{128}DICM": "a DICOM file",
    rb"%PDF": "a PDF document",
    rb"%!PS": "a PostScript document",
    rb"RIFF....AVI |\x1aE\xdf\xa3|\0\0\x01[\xb3\xba]|FLV\x01|OggS": "a video",
    rb"RIFF....WAVE|ID3|fLaC": "a sound",
    rb"PK[\x03\x05]|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd": "an archive or compressed",
    rb"\x93NUMPY": "a NumPy array",
    rb"\x7fELF|MZ": "a program",
    rb"\xef\xbf\xbd|\xc3\xbf\xc3\x98\xc3\xbf|\xc2\x89PNG": "an image that was read as text, which changes its bytes",
    rb"\x89PNG|\nPNG|\x89?PNG\n": "a PNG image that was transferred as text, which changes its bytes",
    rb"version https://git-lfs": "a pointer of Git LFS to a file, and not the file",
    rb"data:": "a data: URI, and not the image that it holds",
    rb"/9j/|iVBORw0KGgo|UklGR": "an image in base64, and not the image itself",
    rb"--[^\r\n]*\r?\n(?i:content-)": "a multipart body",
}
"""How other files begin; the first that fits counts."""
_TEXTS = {
    rb"<!doctype html|<html|<head|<body": "an HTML page",
    rb"(<\?xml|<!--|<!doctype svg).*<svg|<svg": "an SVG drawing",
    rb"<\?xml|<[a-z]": "XML or HTML",
    rb"[\[{]": "JSON",
}
"""How texts begin, behind spaces."""
_READ_PATTERNS = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _READ.items()]
_OTHER_PATTERNS = [(kind, re.compile(pattern, re.DOTALL)) for pattern, kind in _OTHERS.items()]
_TEXT_PATTERNS = [(kind, re.compile(pattern, re.DOTALL | re.IGNORECASE)) for pattern, kind in _TEXTS.items()]
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def sniff(data: bytes) -> str:
    """Tell the type of a file from its first bytes.

    Returns:
        Pillow's name of the type.

    Raises:
        UnsupportedImage: the file is of none of the allowed types; the message says what it looks to be.
    """
    head = data[:HEAD_BYTES]
    for kind, pattern in _READ_PATTERNS:
        if pattern.match(head):
            return kind
    looks = _name_other(head)
    types = ", ".join(MEDIA_TYPES)
    raise UnsupportedImage(
        f"this is {looks}; {types} are taken" if looks else f"the image is none of {types}",
        field=IMAGE_FIELD,
        limit=list(MEDIA_TYPES),
        value=data[:8].hex(" "),
    )


def _name_other(head: bytes) -> str:
    """Name what a file looks to be that isn't read; empty if nobody knows."""
    for name, pattern in _OTHER_PATTERNS:
        if pattern.match(head):
            return name
    for kind, pattern in _READ_PATTERNS:
        if (begin := pattern.search(head, 0, _MAX_STRAY_BYTES + 16)) is not None:
            return f"a {kind} image behind {begin.start()} other bytes"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for name, pattern in _TEXT_PATTERNS:
        if pattern.match(text):
            return name
    return "" if _NO_TEXT.search(head) or not head.isascii() else "text"
