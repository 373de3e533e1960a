"""Run lengths, against pycocotools on the full-size mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from service.domain import CropMask
from service.masks.rle import coco_rle, run_lengths
from tests.service.masks.crops import crops, full_size


@settings(max_examples=1000)
@given(crops())
def test_bit_exact_with_pycocotools(case: tuple[CropMask, int, int]) -> None:
    mask, width, height = case
    expected = coco_mask.encode(full_size(mask, width, height))
    found = coco_rle(mask, width, height)
    assert found["size"] == expected["size"]
    assert found["counts"].encode() == expected["counts"]


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.integers(0, 3))
def test_runs_go_on_across_columns_of_full_height(pixels: np.ndarray, beside: int) -> None:
    height, columns = pixels.shape
    width = columns + 2 * beside
    mask = CropMask(beside, 0, pixels)
    expected = coco_mask.encode(full_size(mask, width, height))
    assert coco_rle(mask, width, height)["counts"].encode() == expected["counts"]


@given(crops())
def test_any_memory_layout(case: tuple[CropMask, int, int]) -> None:
    mask, width, height = case
    every_other = np.zeros([2 * n for n in mask.pixels.shape], dtype=np.bool_)[::2, ::2]
    every_other[:] = mask.pixels
    read_only = mask.pixels.copy()
    read_only.flags.writeable = False
    for pixels in (np.asfortranarray(mask.pixels), every_other, read_only):
        assert coco_rle(CropMask(mask.left, mask.top, pixels), width, height) == coco_rle(mask, width, height)


@given(crops())
def test_runs_add_up(case: tuple[CropMask, int, int]) -> None:
    mask, width, height = case
    runs = run_lengths(mask, width, height)
    assert runs.sum() == width * height
    assert runs[1::2].sum() == mask.area
    assert (runs[1:] > 0).all()


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (65_000, 3)])
def test_long_runs(width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    shape = (min(height, 700), 900)
    mask = CropMask(width - 900, 0, rng.random(shape) > 0.5)
    expected = coco_mask.encode(full_size(mask, width, height))
    assert coco_rle(mask, width, height)["counts"].encode() == expected["counts"]


def test_nobody() -> None:
    for nobody in (
        CropMask.empty(),
        CropMask(2, 1, np.zeros((0, 3), np.bool_)),
        CropMask(2, 1, np.zeros((3, 0), np.bool_)),
    ):
        assert coco_rle(nobody, 5, 4) == {"size": [4, 5], "counts": "d0"}
