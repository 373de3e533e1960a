"""Decodes a JPEG, if a smaller image will do at a part of its size, after a look at how many scans it has.

libjpeg goes over all pixels for each scan, also for one without data, and a scan has ten bytes.
"""

from __future__ import annotations

import io
import re

import numpy as np
import PIL.Image
import simplejpeg

from hiseg.core.image import Image, Size
from hiseg.images.decoders.bands import BAND_BYTES, to_rgb
from hiseg.images.headers.header import Header
from hiseg.images.headers.jpeg import KIND, SOS
from hiseg.images.limits import MAX_PARTS, MAX_SCANNED_PIXELS, MAX_SCANS, check_count, damaged

_PILLOW_BYTES = {"L": 1, "RGB": 4, "CMYK": 4}
"""Bytes of a pixel in Pillow's own images."""
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""The end of a scan's data: within them, FF is followed by 00 or is a restart marker."""
_EOI = 0xD9


def decoding_bytes(data: bytes, header: Header, at_least: Size | None) -> int:
    """Most bytes that :func:`decode` takes at once, its result included."""
    height, width = scaled(header, at_least)
    pillow = _PILLOW_BYTES[header.mode] * height * width if _needs_pillow(header) else 0
    # libjpeg holds an image in passes as 16 bit coefficients, in blocks of up to 32 x 32 pixels.
    blocks = (header.width + 31) * (header.height + 31) * header.in_passes
    return int(3 * height * width + pillow + 2 * header.samples * blocks) + BAND_BYTES + len(data)


def decode(data: bytes, header: Header, at_least: Size | None) -> Image:
    """Decode a JPEG as it is stored, not rotated, at 1/1, 1/2, 1/4 or 1/8 of its size.

    Args:
        data: the file.
        header: its header.
        at_least: (height, width), as stored, that the result must have at least; None: full size.

    Raises:
        UndecodableImage: it is truncated or damaged, or has too many scans.
    """
    if header.in_passes:
        _check_scans(data, header)
    size = scaled(header, at_least)
    if data.rfind(b"\xff\xd9", header.pixels_at) < 0:  # libjpeg would fill in what is missing
        raise damaged(KIND, "it is truncated")
    stream = _without_metadata(data, header)
    if _needs_pillow(header):
        return _decode_with_pillow(stream, size)
    pixels = np.empty((*size, 3), dtype=np.uint8)
    try:
        # A third faster than Pillow, to the same pixels.
        simplejpeg.decode_jpeg(stream, "RGB", min_height=size[0], min_width=size[1], buffer=pixels, strict=False)
    except ValueError as error:
        raise damaged(KIND, "its pixels are damaged") from error
    return Image(pixels)


def _needs_pillow(header: Header) -> bool:
    """Whether it is a JPEG that the faster library doesn't read to RGB."""
    return header.mode == "CMYK" or not header.is_plain


def scaled(header: Header, at_least: Size | None) -> Size:
    """The (height, width) to decode to.

    A half needs no more than ``at_least``; a quarter and an eighth, which lose more, a third more. None of them is
    taken unless it divides the size, since the image would move by a part of a pixel.
    """
    height, width = header.height, header.width
    for part, spare in ((8, 4), (4, 4), (2, 3)):
        divides = header.is_plain and not (height % part or width % part)
        if (
            at_least
            and divides
            and 3 * height >= part * spare * at_least[0]
            and 3 * width >= part * spare * at_least[1]
        ):
            return height // part, width // part
    return height, width


def _without_metadata(data: bytes, header: Header) -> bytes:
    """The file without what libjpeg and Pillow would look at for other purposes than the pixels, and stumble over."""
    if 2 + sum(end - begin for begin, end in header.kept) == header.pixels_at:
        return data
    parts = [data[begin:end] for begin, end in header.kept]
    return b"".join((b"\xff\xd8", *parts, memoryview(data)[header.pixels_at :]))


def _decode_with_pillow(stream: bytes, size: Size) -> Image:
    """Decode to (height, width)."""
    with PIL.Image.open(io.BytesIO(stream), formats=[KIND]) as opened:
        opened.draft(None, size[::-1])
        opened.load()
        return to_rgb(opened, transparent=False)


def _check_scans(data: bytes, header: Header) -> None:
    """Refuse a JPEG that is gone over more often than any encoder lets it be."""
    most = min(MAX_SCANS, MAX_SCANNED_PIXELS // (header.width * header.height))
    # Fast, and never too few; but more than there are if bytes behind the image, such as a film, happen to look so.
    if data.count(b"\xff\xda", header.pixels_at) > most:
        check_count(_count_scans(data, header.pixels_at, most), most, KIND, "scans")


def _count_scans(data: bytes, at: int, most: int) -> int:
    """Count the scans from offset ``at``, where one begins, to the end of the image; at most one more than ``most``."""
    scans = 0
    for part in range(MAX_PARTS + 2):
        check_count(part, MAX_PARTS, KIND, "segments between its scans")
        marker = _MARKER.search(data, at)
        if marker is None or marker[1][0] == _EOI or scans > most:
            break
        scans += marker[1][0] == SOS
        at = marker.end()
        at += int.from_bytes(data[at : at + 2], "big")
    return scans
