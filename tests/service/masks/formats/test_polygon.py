"""Polygons are filled again and compared with the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path
from pycocotools import mask as coco_mask

from hiseg.core.result import CropMask
from hiseg.masks.formats.polygon import Outline, outline, rasterise
from tests.service.masks.crops import crops, full_size

Case = tuple[CropMask, int, int]


def body(rows: int = 300, columns: int = 200) -> np.ndarray:
    """An ellipse with an arm away from it, a hole between, and somebody in the hole."""
    y, x = np.mgrid[:rows, :columns]
    ring = (((y - 150) / 140) ** 2 + ((x - 100) / 90) ** 2 < 1) & (((y - 150) / 70) ** 2 + ((x - 100) / 40) ** 2 > 1)
    return ring | ((abs(y - 150) < 20) & (abs(x - 100) < 15))


def filled(found: Outline, width: int, height: int) -> np.ndarray:
    rings = [ring for part in found.polygons for ring in (part.outer, *part.holes)]
    return rasterise(rings, height, width) if rings else np.zeros((height, width), np.bool_)


@settings(max_examples=500)
@given(crops())
def test_without_simplification_nothing_is_lost(case: Case) -> None:
    mask, width, height = case
    found = outline(mask, tolerance_px=0)
    assert found.iou == 1
    np.testing.assert_array_equal(filled(found, width, height), full_size(mask, width, height))


@given(crops(), st.floats(0, 5))
def test_the_stated_loss_is_the_real_one(case: Case, tolerance: float) -> None:
    mask, width, height = case
    found, exact = outline(mask, tolerance), full_size(mask, width, height).astype(bool)
    again = filled(found, width, height)
    union = np.count_nonzero(again | exact)
    assert found.iou == (np.count_nonzero(again & exact) / union if union else 1)


@given(crops())
def test_pycocotools_fills_them_alike(case: Case) -> None:
    """COCO knows no holes, so rings are filled one by one and taken from each other."""
    mask, width, height = case
    again = np.zeros((height, width), np.uint8)
    for part in outline(mask, tolerance_px=0).polygons:
        for ring in (part.outer, *part.holes):
            (rle,) = coco_mask.frPyObjects([ring.ravel().astype(float).tolist()], height, width)
            again ^= coco_mask.decode(rle)
    np.testing.assert_array_equal(again, full_size(mask, width, height))


@given(crops())
def test_holes_lie_in_their_polygon(case: Case) -> None:
    mask, width, height = case
    for part in outline(mask, tolerance_px=0).polygons:
        around = rasterise([part.outer], height, width)
        for hole in part.holes:
            inside = rasterise([hole], height, width)
            assert inside.any()
            assert (inside & around == inside).all()


@pytest.mark.parametrize("tolerance", [0.0, 0.7, 1.0, 3.0])
def test_matplotlib_fills_them_alike(tolerance: float) -> None:
    found = outline(CropMask(7, 5, body()), tolerance)
    # Just off the centres: what lies exactly on a line is nobody's in particular.
    centres = np.stack(np.meshgrid(np.arange(220) + 0.500001, np.arange(320) + 0.5000001), axis=-1).reshape(-1, 2)
    again = np.zeros(len(centres), np.bool_)
    for part in found.polygons:
        for ring in (part.outer, *part.holes):
            again ^= Path(ring, closed=False).contains_points(centres)
    np.testing.assert_array_equal(again.reshape(320, 220), filled(found, 220, 320))


def test_structure_and_loss_of_a_body() -> None:
    exact, simple = (outline(CropMask(0, 0, body()), tolerance) for tolerance in (0, 1))
    for found in (exact, simple):
        assert sorted(len(part.holes) for part in found.polygons) == [0, 1]
    corners = [sum(len(part.outer) for part in found.polygons) for found in (exact, simple)]
    assert corners[1] < corners[0] / 5
    assert 0.99 < simple.iou < 1


def test_corners_alone_are_kept() -> None:
    (part,) = outline(CropMask(3, 4, np.ones((5, 6), np.bool_)), tolerance_px=0).polygons
    assert sorted(map(tuple, part.outer.tolist())) == [(3, 4), (3, 9), (9, 4), (9, 9)]


def test_a_single_pixel_survives_any_tolerance() -> None:
    found = outline(CropMask(3, 4, np.ones((1, 1), np.bool_)), tolerance_px=50)
    assert len(found.polygons) == 1
    assert found.iou == 1


def test_an_empty_mask() -> None:
    for nobody in (CropMask.empty(), CropMask(2, 1, np.zeros((3, 4), np.bool_))):
        assert outline(nobody) == Outline((), 1.0)
