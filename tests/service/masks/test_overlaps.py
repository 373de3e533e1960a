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
from hiseg.masks.overlaps import Claim, resolve_overlaps
from tests.service.masks.crops import full_size

WIDTH, HEIGHT = 60, 50


def claim(seed: int, x1: float, y1: float, x2: float, y2: float, grown: int = 0) -> Claim:
    box = Box(x1, y1, x2, y2).clipped(WIDTH, HEIGHT)
    margin = np.random.default_rng(seed).normal(1, 2, (8, 6)).astype(np.float32)
    mask = dilate(crop_mask(margin, box, WIDTH, HEIGHT)[0], grown, WIDTH, HEIGHT)
    return Claim(mask, margin, box)


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


@given(crowds(), st.sampled_from([1, 7, 128]))
def test_each_pixel_has_one_owner_and_none_is_lost(claims: list[Claim], rows: int) -> None:
    before = stacked([whole(each) for each in claims])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "STRIP_ROWS", rows)
        resolve_overlaps(claims)
    after = stacked([whole(each) for each in claims])
    np.testing.assert_array_equal(after.sum(axis=0), before.any(axis=0))
    assert not (after & ~before).any(), "nobody gains a pixel"


@given(crowds())
def test_the_owner_is_the_one_with_the_highest_margin(claims: list[Claim]) -> None:
    before = [whole(each) for each in claims]
    resolve_overlaps(claims)
    ranks = np.array([rank(each, mask) for each, mask in zip(claims, before, strict=True)]).reshape(-1, HEIGHT, WIDTH)
    for each, own in zip(claims, ranks, strict=True):
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


def test_a_grown_mask_takes_nothing_from_a_neighbour_whom_the_model_saw() -> None:
    sure, margin = Box(0, 0, 20, 20), np.full((4, 4), 9, dtype=np.float32)
    grown = Claim(dilate(crop_mask(margin, sure, WIDTH, HEIGHT)[0], 8, WIDTH, HEIGHT), margin, sure)
    beside = Box(20, 0, 40, 20)
    seen = Claim(crop_mask(margin * 0.1, beside, WIDTH, HEIGHT)[0], margin * 0.1, beside)
    resolve_overlaps([grown, seen])
    assert seen.mask.pixels.all()
    assert not whole(grown)[:20, 20:].any()
    assert whole(grown)[20:27, :18].any(), "where nobody else is it has grown"


def test_masks_that_do_not_overlap_stay_unchanged() -> None:
    nobody = Claim(CropMask.empty(), np.zeros((2, 2), np.float32), Box(0, 0, 1, 1))
    claims = [claim(0, 0, 0, 20, 20), claim(1, 30, 30, 50, 50), nobody]
    before = [whole(each) for each in claims]
    resolve_overlaps(claims)
    for each, mask in zip(claims, before, strict=True):
        np.testing.assert_array_equal(whole(each), mask)
