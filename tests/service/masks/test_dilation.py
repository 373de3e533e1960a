"""Masks are dilated by a number of image pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.result import CropMask
from hiseg.masks import dilation
from hiseg.masks.dilation import dilate
from tests.service.masks.crops import crops, full_size

Case = tuple[CropMask, int, int]


def by_hand(canvas: np.ndarray, pixels: int) -> np.ndarray:
    """Every shift of the mask by a vector that is short enough."""
    grown = np.zeros_like(canvas)
    height, width = canvas.shape
    for dy in range(-pixels, pixels + 1):
        for dx in range(-pixels, pixels + 1):
            if dx * dx + dy * dy <= pixels * pixels and abs(dx) < width and abs(dy) < height:
                target = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
                source = slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx))
                grown[target] |= canvas[source]
    return grown


@given(crops(), st.integers(0, 9))
def test_a_mask_grows_by_a_disc_to_all_sides_and_not_beyond_the_image(case: Case, pixels: int) -> None:
    mask, width, height = case
    before = full_size(mask, width, height)
    grown = dilate(mask, pixels, width, height)
    np.testing.assert_array_equal(full_size(grown, width, height), by_hand(before, pixels))
    np.testing.assert_array_equal(full_size(mask, width, height), before)


def test_an_empty_mask_stays_empty() -> None:
    for nobody in (CropMask.empty(), CropMask(3, 4, np.zeros((5, 6), np.bool_))):
        assert dilate(nobody, 50, 20, 20) is nobody


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 30), st.integers(0, 30))
def test_strips_give_what_the_whole_crop_gives(seed: int, pixels: int, left: int, top: int) -> None:
    mask = CropMask(left, top, np.random.default_rng(seed).random((90, 7)) < 0.02)
    whole = dilate(mask, pixels, 50, 130)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dilation, "STRIP_PIXELS", 1)
        strips = dilate(mask, pixels, 50, 130)
    assert (strips.left, strips.top) == (whole.left, whole.top)
    np.testing.assert_array_equal(strips.pixels, whole.pixels)
