"""Run lengths are decoded as by pycocotools, also those of our own encoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from hiseg.client.rle import decode, decode_crop
from hiseg.core.result import CropMask
from hiseg.masks.formats.rle import coco_rle

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
MASKS = st.one_of(
    hnp.arrays(np.bool_, SHAPES, elements=fill) for fill in (st.booleans(), st.just(True), st.just(False))
)


def written(mask: np.ndarray) -> str:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    return counts.decode()


@settings(max_examples=300)
@given(MASKS)
def test_reads_what_pycocotools_writes(mask: np.ndarray) -> None:
    found = decode(written(mask), *mask.shape)
    assert found.dtype == np.bool_
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, mask)


@given(MASKS)
def test_reads_what_we_write(mask: np.ndarray) -> None:
    height, width = mask.shape
    np.testing.assert_array_equal(decode(coco_rle(CropMask(0, 0, mask), width, height)["counts"], height, width), mask)


@given(MASKS)
def test_the_crop_is_the_smallest_with_the_whole_mask(mask: np.ndarray) -> None:
    height, width = mask.shape
    crop = decode_crop(written(mask), height, width)
    assert crop.pixels.flags.c_contiguous
    again = np.zeros_like(mask)
    rows, columns = crop.pixels.shape
    again[crop.top : crop.top + rows, crop.left : crop.left + columns] = crop.pixels
    np.testing.assert_array_equal(again, mask)
    if mask.any():
        assert all(side.any() for side in (*crop.pixels[[0, -1]], *crop.pixels.T[[0, -1]]))
    else:
        assert crop.pixels.size == 0


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (65_000, 3)])
def test_long_runs(width: int, height: int) -> None:
    mask = np.zeros((height, width), np.bool_)
    mask[:700, -900:] = np.random.default_rng(0).random((min(height, 700), 900)) > 0.5
    np.testing.assert_array_equal(decode(written(mask), height, width), mask)


@given(st.text(st.characters(min_codepoint=0, max_codepoint=300), max_size=30), st.integers(1, 9), st.integers(1, 9))
def test_anything_else_is_refused_or_a_mask(counts: str, height: int, width: int) -> None:
    try:
        assert decode(counts, height, width).shape == (height, width)
    except ValueError:
        return


@pytest.mark.parametrize("counts", ["", "é", "\x00", "d0d0", "c0", "P", "PPPPPPPPPPPPPPPPPP0", "n0"])
def test_broken_counts_are_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="counts"):
        decode(counts, 4, 5)
