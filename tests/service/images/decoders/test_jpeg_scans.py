"""How often a JPEG may be gone over, and what is said where passes are missing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hiseg.core.errors import UndecodableImage
from hiseg.images.decoders.jpeg import LESS_DETAIL_NOTE, NO_END_NOTE
from hiseg.images.encoded import inspect
from hiseg.images.limits import MAX_PARTS, MAX_SCANNED_PIXELS, MAX_SCANS
from tests.service.images.files import LIMITS, encoded, jpeg_of_scans, picture, segment

END = b"\xff\xd9"


@pytest.mark.parametrize("frame", [0xC0, 0xC2], ids=["sequential", "progressive"])
@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"", id="plain"),
        pytest.param(segment(0xFE, b"\xff\xd9" * 9), id="what looks like the end between scans"),
        pytest.param(b"\xff\xd0\xff\xff\xff", id="padding and restarts"),
    ],
)
def test_scans_are_counted_and_limited(frame: int, between: bytes) -> None:
    assert inspect(jpeg_of_scans(64, 64, MAX_SCANS, frame, between), LIMITS).decode().width == 64
    with pytest.raises(UndecodableImage, match="scans") as raised:
        inspect(jpeg_of_scans(64, 64, 20_000, frame, between), LIMITS).decode()
    assert (raised.value.limit, raised.value.value) == (MAX_SCANS, MAX_SCANS + 1)


def test_large_images_may_have_fewer_scans() -> None:
    most = MAX_SCANNED_PIXELS // (8000 * 6000)
    with pytest.raises(UndecodableImage, match="scans") as raised:
        inspect(jpeg_of_scans(8000, 6000, most + 1), LIMITS).decode()
    assert raised.value.limit == most


def test_bytes_that_look_like_scans_are_none_within_tables_or_behind_the_image() -> None:
    lookalikes = segment(0xFE, b"\xff\xda" * 200)
    assert inspect(jpeg_of_scans(64, 64, 9, between=lookalikes), LIMITS).decode().width == 64
    film = jpeg_of_scans(64, 64, 9) + b"\xff\xda" * 10_000
    assert inspect(film, LIMITS).decode().width == 64


def test_segments_between_scans_are_counted_where_scans_must_be() -> None:
    with pytest.raises(UndecodableImage, match="segments between its scans") as raised:
        inspect(jpeg_of_scans(64, 64, 2, between=segment(0xFE, b"\xff\xda") * 10_000), LIMITS).decode()
    assert raised.value.limit == MAX_PARTS


def scans(data: bytes) -> list[int]:
    """Where the scans of a JPEG begin."""
    found = itertools.accumulate(data.split(b"\xff\xda"), lambda at, part: at + len(part) + 2, initial=-2)
    return list(found)[1:-1]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_what_is_cut_off_between_passes_is_refused_and_what_was_made_so_is_noted(mode: str) -> None:
    whole = encoded(picture(mode, 96, 64), "JPEG", progressive=True)
    plain = inspect(whole, LIMITS).decode()
    assert LESS_DETAIL_NOTE not in plain.notes
    assert inspect(whole[:-2], LIMITS).decode().notes == (*plain.notes, NO_END_NOTE)
    # The first pass has the colours' means, the last ones add the finest details.
    cuts = scans(whole)[1:]
    assert len(cuts) >= 5
    for at in cuts:
        with pytest.raises(UndecodableImage, match="cut off between the passes"):
            inspect(whole[:at], LIMITS).decode()
        coarse = inspect(whole[:at] + END, LIMITS).decode()
        assert coarse.notes == (*plain.notes, LESS_DETAIL_NOTE)
    assert np.abs(coarse.pixels.astype(int) - plain.pixels).mean() < 8


@pytest.mark.parametrize("scans", [1, 2])
def test_an_image_of_which_a_colour_is_missing_is_refused(scans: int) -> None:
    with pytest.raises(UndecodableImage, match="one of its colours is missing"):
        inspect(jpeg_of_scans(64, 64, scans, frame=0xC0), LIMITS).decode()
    assert inspect(jpeg_of_scans(64, 64, 3, frame=0xC0), LIMITS).decode().notes == ()


def test_what_looks_like_the_end_between_passes_hides_none() -> None:
    whole = encoded(picture("RGB", 96, 64), "JPEG", progressive=True)
    at = scans(whole)[3]
    odd = whole[:at] + segment(0xFE, b"\xff\xd9") + whole[at:]
    assert inspect(odd, LIMITS).decode().notes == ()


def test_another_image_behind_the_end_adds_no_passes() -> None:
    whole = encoded(picture("RGB", 96, 64), "JPEG", progressive=True)
    coarse = whole[: scans(whole)[2]] + END
    assert inspect(coarse + whole, LIMITS).decode().notes == (LESS_DETAIL_NOTE,)
