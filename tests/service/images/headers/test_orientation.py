"""Where the orientation is found, and where it isn't looked for."""

from __future__ import annotations

import struct

import pytest

from hiseg.images.headers.orientation import MAX_EXIF_TAGS, find_orientation
from tests.service.images.files import tiff

SHORT, LONG, SIGNED_SHORT, SIGNED_LONG, BYTE, TEXT, UNDEFINED = 3, 4, 8, 9, 1, 2, 7
ORIENTATION = 0x0112


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("at", [8, 9, 5000])
def test_both_orders_of_bytes_wherever_the_directory_is(order: str, at: int) -> None:
    data = tiff(
        (0x010F, TEXT, 3, b"me\0\0"), (ORIENTATION, SHORT, 1, struct.pack(f"{order}HH", 6, 0)), order=order, at=at
    )
    assert find_orientation(data) == 6


@pytest.mark.parametrize(("first", "second", "found"), [(3, 6, 3), (9, 6, 6), (0, 6, 6)])
def test_the_first_valid_tag_counts(first: int, second: int, found: int) -> None:
    tags = [(ORIENTATION, SHORT, 1, struct.pack("<HH", value, 0)) for value in (first, second)]
    assert find_orientation(tiff(*tags)) == found


GOOD = tiff((ORIENTATION, SHORT, 1, b"\6\0\0\0"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"garbage", id="garbage"),
        pytest.param(tiff(), id="no tags"),
        pytest.param(tiff((ORIENTATION, SHORT, 1, b"\x09\0\0\0")), id="9"),
        pytest.param(tiff((ORIENTATION, SHORT, 1, b"\6\1\0\0")), id="262"),
        pytest.param(tiff((ORIENTATION, SHORT, 0, b"\6\0\0\0")), id="no number"),
        pytest.param(tiff((ORIENTATION, SHORT, 2, b"\6\0\6\0")), id="two numbers"),
        *(
            pytest.param(tiff((ORIENTATION, form, 1, b"\6\0\0\0")), id=f"type {form}")
            for form in (BYTE, TEXT, LONG, UNDEFINED, SIGNED_SHORT, SIGNED_LONG)
        ),
        pytest.param(GOOD[:14], id="cut in the tag"),
        pytest.param(GOOD[:21], id="cut in the value"),
        pytest.param(b"Exif\0\0" + GOOD, id="a second mark"),
        pytest.param(b"II+\0" + GOOD[4:], id="BigTIFF"),
        pytest.param(b"MM*\0" + GOOD[4:], id="two orders of bytes"),
        pytest.param(b"II*\0\xff\xff\xff\xff", id="a directory beyond the end"),
        pytest.param(tiff(*[(1, SHORT, 1, b"\6\0\0\0")] * MAX_EXIF_TAGS) + GOOD[10:], id="too many tags"),
    ],
)
def test_damaged_or_unknown_means_upright(data: bytes) -> None:
    assert find_orientation(data) == 1


def test_what_directories_of_other_images_say_does_not_count() -> None:
    """The second directory is that of the thumbnail."""
    thumbnail = struct.pack("<HHHIHH", 1, ORIENTATION, SHORT, 1, 6, 0)
    assert find_orientation(tiff(after=thumbnail)) == 1
    assert find_orientation(tiff((ORIENTATION, SHORT, 1, b"\3\0\0\0"), after=thumbnail)) == 3


def test_too_short_counts_are_believed_and_too_large_ones_harm_nothing() -> None:
    assert find_orientation(GOOD[:8] + b"\0\0" + GOOD[10:]) == 1
    assert find_orientation(GOOD[:8] + b"\x63\0" + GOOD[10:]) == 6
