"""Run lengths are compared with pycocotools on the full-size mask."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from hiseg.core.result import CropMask
from hiseg.masks.formats.rle import coco_rle, coco_rle_uncompressed, run_lengths
from tests.service.masks.crops import crops, full_size


def test_ten_thousand_masks_are_bit_exact_with_pycocotools() -> None:
    rng = np.random.default_rng(0)
    seen: Counter[str] = Counter()
    for _ in range(10_000):
        width, height = (
            int(rng.choice([1, rng.integers(1, 9), rng.integers(9, 40), rng.integers(9, 40)])) for _ in range(2)
        )
        whole = rng.random() < 0.2
        left, top = (0 if whole else int(rng.integers(0, n)) for n in (width, height))
        rows = height if whole else int(rng.integers(1, height - top + 1))
        columns = width if whole else int(rng.integers(1, width - left + 1))
        pixels = rng.random((rows, columns)) < rng.choice([0, 0.1, 0.5, 0.9, 1])
        mask = CropMask(left, top, pixels)
        canvas = full_size(mask, width, height)
        expected = coco_mask.encode(canvas)
        assert coco_rle(mask, width, height)["counts"].encode() == expected["counts"]
        again = coco_mask.frPyObjects(coco_rle_uncompressed(mask, width, height), height, width)
        assert again["counts"] == expected["counts"]
        seen["empty"] += not pixels.any()
        seen["full"] += bool(canvas.all())
        seen["1x1"] += pixels.size == 1
        seen["at a border"] += bool(canvas[[0, -1]].any() or canvas[:, [0, -1]].any())
        seen["with holes"] += bool(
            cv2.connectedComponents(np.pad(1 - canvas, 1, constant_values=1), connectivity=4)[0] > 2
        )
    assert min(seen.values()) > 500, seen


@settings(max_examples=300)
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


def test_an_empty_mask() -> None:
    for nobody in (
        CropMask.empty(),
        CropMask(2, 1, np.zeros((0, 3), np.bool_)),
        CropMask(2, 1, np.zeros((3, 0), np.bool_)),
    ):
        assert coco_rle(nobody, 5, 4) == {"size": [4, 5], "counts": "d0"}
        assert coco_rle_uncompressed(nobody, 5, 4) == {"size": [4, 5], "counts": [20]}
