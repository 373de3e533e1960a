"""Looks at how many scans a JPEG has, which is what decoding it costs, and at what they leave out.

libjpeg goes over all pixels for each scan, also for one without data, and a scan has ten bytes. And it decodes what
scans there are: of a progressive image that was cut off between two of them, a coarse one, without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hiseg.images.headers.header import Header
from hiseg.images.headers.jpeg import KIND, SOF_MARKERS, SOS
from hiseg.images.limits import MAX_PARTS, MAX_SCANNED_PIXELS, MAX_SCANS, check_count, damaged

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""The end of a scan's data: within them, FF is followed by 00 or is a restart marker."""
_EOI = 0xD9
_COEFFICIENTS = 64
_UNSEEN = 16
"""More than any number of low bits that a scan can leave out."""


def check_scans(data: bytes, header: Header) -> None:
    """Refuse a JPEG that is gone over more often than any encoder lets it be.

    Raises:
        UndecodableImage: it has too many scans, or too many segments between them.
    """
    most = min(MAX_SCANS, MAX_SCANNED_PIXELS // (header.width * header.height))
    # Fast, and never too few; but more than there are if bytes behind the image, such as a film, happen to look so.
    if data.count(b"\xff\xda", header.pixels_at) > most:
        for scans, _ in enumerate(_walk(data, header.pixels_at), start=1):
            check_count(scans, most, KIND, "scans")


def lacks_detail(data: bytes, header: Header) -> bool:
    """Whether scans are missing without which the image is coarser than it was made; :func:`check_scans` goes before.

    Raises:
        UndecodableImage: there is nothing at all of one of the colours.
    """
    # Where nothing between scans looks like one, or like the end, this is exact, and no slower than a memory is read.
    left_out = _left_out(data, header, _find(data, header.pixels_at))
    if any(left_out.values()):
        left_out = _left_out(data, header, _walk(data, header.pixels_at))
    if any(bits[0] == _UNSEEN for bits in left_out.values()):
        raise damaged(KIND, "it is damaged: one of its colours is missing")
    return any(map(any, left_out.values()))


def _left_out(data: bytes, header: Header, scans: Iterator[int]) -> dict[int, list[int]]:
    """How many low bits of each of a colour's 64 coefficients no scan has, by the colour's number."""
    frame = next(begin for begin, _ in header.kept if data[begin + 1] in SOF_MARKERS)
    colours = [data[frame + 10 + 3 * i] for i in range(data[frame + 9])]
    left_out = {colour: [_UNSEEN] * _COEFFICIENTS for colour in colours}
    for at in scans:
        count = data[at + 4] if at + 4 < len(data) else 0
        body = data[at + 5 : at + 8 + 2 * count]
        if len(body) < 2 * count + 3:
            break
        first, last, low_bits = body[-3], body[-2], body[-1] & 15
        for colour in body[: 2 * count : 2]:
            if colour in left_out and first <= last < _COEFFICIENTS:
                left_out[colour][first : last + 1] = [low_bits] * (last + 1 - first)
    return left_out


def find_end(data: bytes, at: int) -> int:
    """The offset of what ends the last of the scans, or the file's end; the first scan begins at ``at``.

    Raises:
        UndecodableImage: there are too many segments between them.
    """
    for scan in _walk(data, at):
        at = scan
    marker = _MARKER.search(data, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    return marker.start() if marker else len(data)


def _find(data: bytes, at: int) -> Iterator[int]:
    """The offsets of what looks like a scan, from offset ``at`` to what looks like the end."""
    end = data.find(b"\xff\xd9", at)
    while (at := data.find(b"\xff\xda", at, end if end >= 0 else len(data))) >= 0:
        yield at
        at += 2


def _walk(data: bytes, at: int) -> Iterator[int]:
    """The offsets of the scans from offset ``at``, where one begins, to the end of the image.

    Raises:
        UndecodableImage: there are too many segments between them.
    """
    for part in range(MAX_PARTS + 2):
        check_count(part, MAX_PARTS, KIND, "segments between its scans")
        marker = _MARKER.search(data, at)
        if marker is None or marker[1][0] == _EOI:
            break
        if marker[1][0] == SOS:
            yield marker.start()
        at = marker.end()
        at += int.from_bytes(data[at : at + 2], "big")
