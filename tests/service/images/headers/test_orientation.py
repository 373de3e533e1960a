"""Where the orientation is found, and where it isn't looked for."""

from __future__ import annotations

import struct

import pytest

from hiseg.images.headers.orientation import MAX_EXIF_TAGS, find_orientation


def tiff(entries: list[tuple[int, int, int, int]], order: str = "<", at: int = 8) -> bytes:
    """TIFF data with one directory of (tag, type, count, value)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    body = b"".join(
        struct.pack(f"{order}HHI", tag, form, count) + struct.pack(f"{order}{'HH' if form == 3 else 'I'}", *values)
        for tag, form, count, value in entries
        for values in [(value, 0) if form == 3 else (value,)]
    )
    return head.ljust(at, b"\0") + struct.pack(f"{order}H", len(entries)) + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", [3, 4])
@pytest.mark.parametrize("marks", [0, 1, 2])
def test_both_byte_orders_types_and_marks(order: str, form: int, marks: int) -> None:
    data = b"Exif\0\0" * marks + tiff([(0x010F, 2, 3, 0), (0x0112, form, 1, 6)], order, at=40)
    assert find_orientation(data, b"") == 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"garbage",
        tiff([]),
        tiff([(0x0112, 3, 1, 9)]),
        tiff([(0x0112, 3, 1, 0)]),
        tiff([(0x0112, 3, 2, 6)]),
        tiff([(0x0112, 2, 1, 6)]),
        tiff([(0x0112, 3, 1, 6)])[:14],
        tiff([(1, 3, 1, 6)] * MAX_EXIF_TAGS + [(0x0112, 3, 1, 6)]),
        b"II*\0\xff\xff\xff\xff",
    ],
)
def test_damaged_or_unknown_means_upright(data: bytes) -> None:
    assert find_orientation(data, b"") == 1


def test_xmp_is_asked_if_exif_has_none() -> None:
    xmp = b'<rdf:Description tiff:Orientation="8"/>'
    assert find_orientation(tiff([]), xmp) == 8
    assert find_orientation(b"", b"<tiff:Orientation>3</tiff:Orientation>") == 3
    assert find_orientation(tiff([(0x0112, 3, 1, 6)]), xmp) == 6
