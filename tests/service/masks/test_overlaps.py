"""Each pixel that several masks contain is assigned to one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.result import CropMask
from hiseg.masks import overlaps
from hiseg.masks.dilation import dilate
from hiseg.masks.logits import crop_mask, resample
from hiseg.masks.overlaps import Claim, near_duplicates, resolve_overlaps
from tests.service.masks.crops import full_size

WIDTH, HEIGHT = 60, 50


def claim(seed: int, x1: float, y1: float, x2: float, y2: float, grown: int = 0) -> Claim:
    box = Box(x1, y1, x2, y2).clipped(WIDTH, HEIGHT)
    margin = np.random.default_rng(seed).normal(1, 2, (8, 6)).astype(np.float32)
    mask = dilate(crop_mask(margin, box, WIDTH, HEIGHT)[0], grown, WIDTH, HEIGHT)
    return Claim(mask, margin, box, box)


def whole(claim: Claim) -> np.ndarray:
    return full_size(claim.mask, WIDTH, HEIGHT).astype(bool)


@st.composite
def crowds(draw: st.DrawFn) -> list[Claim]:
    found = []
    for seed in range(draw(st.integers(0, 5))):
        x, y = draw(st.floats(0, WIDTH - 3)), draw(st.floats(0, HEIGHT - 3))
        w, h, grown = draw(st.floats(2, 60)), draw(st.floats(2, 60)), draw(st.sampled_from([0, 0, 3]))
        found.append(claim(seed, x, y, x + w, y + h, grown))
    return found


def stacked(masks: list[np.ndarray]) -> np.ndarray:
    return np.array(masks, dtype=bool).reshape(-1, HEIGHT, WIDTH)


def duplicates(claims: list[Claim]) -> np.ndarray:
    """Which resolved claims are near-duplicates of an earlier one and have no pixel left, bool ``[n]``."""
    empty = np.array([not whole(each).any() for each in claims], dtype=bool)
    return np.tril(near_duplicates([each.person for each in claims]), -1).any(axis=1) & empty


@given(crowds(), st.sampled_from([1, 7, 128]))
def test_each_pixel_has_one_owner_and_none_is_lost(claims: list[Claim], rows: int) -> None:
    before = stacked([whole(each) for each in claims])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "STRIP_ROWS", rows)
        resolve_overlaps(claims)
    after = stacked([whole(each) for each in claims])
    twice = duplicates(claims)
    assert (after.sum(axis=0) <= 1).all()
    assert not (before[~twice].any(axis=0) & ~after.any(axis=0)).any()
    assert not (after & ~before).any(), "nobody gains a pixel"


@given(crowds())
def test_the_owner_is_the_one_with_the_highest_margin(claims: list[Claim]) -> None:
    before = [whole(each) for each in claims]
    resolve_overlaps(claims)
    kept = [(each, mask) for each, mask, twice in zip(claims, before, duplicates(claims), strict=True) if not twice]
    ranks = np.array([rank(each, mask) for each, mask in kept]).reshape(-1, HEIGHT, WIDTH)
    for (each, _), own in zip(kept, ranks, strict=True):
        mine = whole(each)
        # OpenCV reads a margin to a thirty-second of a cell, and the whole image at once here: near ties may differ.
        assert (own[mine] >= ranks.max(axis=0)[mine] - 0.5).all()


def rank(claim: Claim, mask: np.ndarray) -> np.ndarray:
    """How sure the model is of each pixel of the image for one claim; nothing where it claims none."""
    inside = np.zeros_like(mask)
    box = claim.box
    inside[int(box.y1) : int(np.ceil(box.y2)), int(box.x1) : int(np.ceil(box.x2))] = True
    drawn = np.where(inside, resample(claim.logit_margin, box, 0, 0, WIDTH, HEIGHT), overlaps.NO_EVIDENCE)
    return np.where(mask, drawn, -np.inf)


def test_the_first_of_equals_wins() -> None:
    claims = [claim(0, 5, 5, 30, 30), claim(0, 5, 5, 30, 30)]
    expected = whole(claims[0])
    resolve_overlaps(claims)
    np.testing.assert_array_equal(whole(claims[0]), expected)
    assert not whole(claims[1]).any()


def disc(box: Box, part: slice = slice(None)) -> Claim:
    """A claim on an ellipse in the box, or on a range of its columns only, as sure of it as chance makes it."""
    y, x = np.mgrid[-1:1:24j, -1:1:24j]
    margin = np.full((24, 24), -9, dtype=np.float32)
    inside = (6 * (1 - x**2 - y**2) + np.random.default_rng(int(box.x1 * 7)).normal(0, 0.3, x.shape)).astype(np.float32)
    margin[:, part] = inside[:, part]
    return Claim(crop_mask(margin, box, WIDTH, HEIGHT)[0], margin, box, box)


NEAR = [Box(10, 8, 40, 44), Box(12, 9, 42, 45), Box(9, 7, 41, 45), Box(11, 10, 39, 42)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (1, 0), (2, 2, 2)])
def test_the_first_of_near_duplicates_keeps_the_person_whole(order: tuple[int, ...]) -> None:
    claims = [disc(NEAR[index]) for index in order]
    before = whole(claims[0])
    resolve_overlaps(claims)
    np.testing.assert_array_equal(whole(claims[0]), before)
    assert not any(whole(each).any() for each in claims[1:])


def test_a_duplicate_takes_nothing_from_a_neighbour() -> None:
    person, neighbour = Box(5, 5, 30, 45), Box(22, 5, 50, 45)
    alone = [disc(person), disc(neighbour)]
    resolve_overlaps(alone)
    claims = [disc(person), disc(neighbour), disc(Box(6, 5, 31, 46)), disc(Box(22, 6, 50, 44))]
    resolve_overlaps(claims)
    for each, expected in zip(claims, alone, strict=False):
        np.testing.assert_array_equal(whole(each), whole(expected))


def test_two_people_in_almost_the_same_box_both_keep_their_pixels() -> None:
    claims = [disc(NEAR[0], slice(0, 13)), disc(NEAR[1], slice(11, 24))]
    before = [whole(each) for each in claims]
    resolve_overlaps(claims)
    for each, mask in zip(claims, before, strict=True):
        assert whole(each).sum() > 0.8 * mask.sum()


def test_being_a_duplicate_is_not_passed_on_along_a_row() -> None:
    claims = [disc(Box(left, 5, left + 30, 45)) for left in (2, 5, 8)]
    resolve_overlaps(claims)
    assert [bool(whole(each).any()) for each in claims] == [True, False, True]


def test_a_mask_of_nothing_takes_nobodys_place() -> None:
    found = disc(NEAR[1])
    nothing = Claim(CropMask.empty(), np.full((2, 2), -1, np.float32), NEAR[0], NEAR[0])
    before = whole(found)
    resolve_overlaps([nothing, found])
    np.testing.assert_array_equal(whole(found), before)


def test_a_grown_mask_takes_nothing_from_a_neighbour_whom_the_model_saw() -> None:
    sure, margin = Box(0, 0, 20, 20), np.full((4, 4), 9, dtype=np.float32)
    grown = Claim(dilate(crop_mask(margin, sure, WIDTH, HEIGHT)[0], 8, WIDTH, HEIGHT), margin, sure, sure)
    beside = Box(20, 0, 40, 20)
    seen = Claim(crop_mask(margin * 0.1, beside, WIDTH, HEIGHT)[0], margin * 0.1, beside, beside)
    resolve_overlaps([grown, seen])
    assert seen.mask.pixels.all()
    assert not whole(grown)[:20, 20:].any()
    assert whole(grown)[20:27, :18].any(), "where nobody else is it has grown"


def test_masks_that_do_not_overlap_stay_unchanged() -> None:
    nobody = Claim(CropMask.empty(), np.zeros((2, 2), np.float32), Box(0, 0, 1, 1), Box(0, 0, 1, 1))
    claims = [claim(0, 0, 0, 20, 20), claim(1, 30, 30, 50, 50), nobody]
    before = [whole(each) for each in claims]
    resolve_overlaps(claims)
    for each, mask in zip(claims, before, strict=True):
        np.testing.assert_array_equal(whole(each), mask)
