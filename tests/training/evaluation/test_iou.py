"""IoU, boundary IoU and labels, against slow ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hiseg.core.box import Box
from hiseg.core.image import BoolMask
from hiseg_training.evaluation.iou import boundary_iou, covered_share, iou, label_grid, outline

MASKS = arrays.arrays(np.bool_, (7, 9))


def test_iou() -> None:
    a = np.array([True, True, False, False])
    assert iou(a, a) == 1
    assert iou(a, ~a) == 0
    assert iou(a, np.array([True, False, True, False])) == pytest.approx(1 / 3)
    assert iou(~a & a, ~a & a) == 1


@given(MASKS, st.integers(1, 3))
def test_the_outline_is_the_band_inside_the_masks_edge(mask: BoolMask, width: int) -> None:
    found = outline(mask, width)
    around = np.pad(mask, width)
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            near = around[y : y + 2 * width + 1, x : x + 2 * width + 1]
            assert found[y, x] == (mask[y, x] and not near.all())


@given(MASKS, MASKS)
def test_boundary_iou_of_small_masks_is_that_of_their_outlines(a: BoolMask, b: BoolMask) -> None:
    # The diagonal is 11 pixels: outlines are one pixel wide.
    assert boundary_iou(a, b) == iou(outline(a, 1), outline(b, 1))
    assert boundary_iou(a, b) == boundary_iou(b, a)
    assert boundary_iou(a, a) == 1


def test_boundary_iou_is_stricter_than_iou_at_edges() -> None:
    a = np.zeros((300, 400), dtype=np.bool_)
    a[50:250, 100:300] = True
    b = np.zeros_like(a)
    b[55:245, 105:295] = True
    assert iou(a, b) > 0.9
    # Rings of 10 pixels, one 5 pixels inside the other.
    ring = 200**2 - 180**2, 190**2 - 170**2
    both = 190**2 - 180**2
    assert boundary_iou(a, b) == pytest.approx(both / (sum(ring) - both))


def test_labels_are_those_under_the_cells_centres() -> None:
    target, anybody = np.zeros((20, 30), dtype=np.bool_), np.zeros((20, 30), dtype=np.bool_)
    target[4:10, 5:12] = True
    anybody[4:16, 8:20] = True
    box = Box(3.5, 2.0, 19.5, 18.0)
    found = label_grid(box, target, anybody | target, (8, 4))
    for row in range(8):
        for column in range(4):
            y, x = int(2 + (row + 0.5) * 2), int(3.5 + (column + 0.5) * 4)
            assert found[row, column] == (1 if target[y, x] else 2 if anybody[y, x] else 0)


def test_covered_share_counts_overlaps_once() -> None:
    box = Box(0, 0, 10, 10)
    assert covered_share(box, []) == 0
    assert covered_share(box, [Box(5, 0, 20, 10), Box(5, 5, 20, 20)]) == pytest.approx(0.5)


def test_labels_beyond_the_image_are_background() -> None:
    everywhere = np.ones((6, 8), dtype=np.bool_)
    labels = label_grid(Box(-4, 0, 12, 12), everywhere, everywhere, (4, 4))
    assert labels.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
