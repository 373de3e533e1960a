"""Logits of the model are resampled into the boxes of the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.result import CropMask
from hiseg.masks.logits import crop_mask, log_odds


def disc(height: int = 128, width: int = 96, radius: float = 0.8) -> np.ndarray:
    y, x = ((np.arange(n) + 0.5) / n * 2 - 1 for n in (height, width))
    return ((radius**2 - y[:, None] ** 2 - x[None] ** 2) * 10).astype(np.float32)


@given(st.floats(-50, 190), st.floats(-50, 90), st.floats(0.5, 200), st.floats(0.5, 200), st.floats(0.01, 0.99))
def test_the_mask_stays_in_the_box_and_in_the_image(x: float, y: float, w: float, h: float, threshold: float) -> None:
    box = Box(x, y, x + w, y + h).clipped(200, 100)
    if box.is_empty:
        return
    mask, score = crop_mask(disc(), box, 200, 100, threshold)
    rows, columns = mask.pixels.shape
    assert 0 <= mask.left <= mask.left + columns <= 200
    assert 0 <= mask.top <= mask.top + rows <= 100
    assert mask.left <= box.x1 < mask.left + 1
    assert mask.top + rows - 1 < box.y2 <= mask.top + rows
    assert score == 0 if mask.area == 0 else threshold < score <= 1


@pytest.mark.parametrize("scale", [0.5, 1, 3, 7.3])
def test_the_shape_is_drawn_where_it_belongs(scale: float) -> None:
    box = Box(10.25, 20.75, 10.25 + 96 * scale, 20.75 + 128 * scale)
    mask, _ = crop_mask(disc(), box, 2000, 2000)
    rows, columns = np.mgrid[mask.top : mask.top + mask.pixels.shape[0], mask.left : mask.left + mask.pixels.shape[1]]
    y = (rows + 0.5 - box.y1) / (box.y2 - box.y1) * 2 - 1
    x = (columns + 0.5 - box.x1) / (box.x2 - box.x1) * 2 - 1
    expected = x**2 + y**2 < 0.64
    union = np.count_nonzero(mask.pixels | expected)
    assert np.count_nonzero(mask.pixels & expected) / union > (0.97 if scale < 1 else 0.985)


def exact(margin: np.ndarray, box: Box, mask: CropMask) -> np.ndarray:
    """The margins at the centres of the mask's pixels, in double precision."""
    x, y = (first + 0.5 + np.arange(n) for first, n in zip((mask.left, mask.top), mask.pixels.shape[::-1], strict=True))
    u = (x - box.x1) / (box.x2 - box.x1) * margin.shape[1] - 0.5
    v = (y - box.y1) / (box.y2 - box.y1) * margin.shape[0] - 0.5
    across = np.stack([np.interp(u, np.arange(margin.shape[1]), row) for row in margin])
    return np.stack([np.interp(v, np.arange(margin.shape[0]), column) for column in across.T], axis=1)


@pytest.mark.parametrize("side", [st.integers(-30, 120).map(float), st.floats(-30, 120)], ids=["whole", "fractions"])
@given(st.data())
def test_every_pixel_is_what_lies_at_its_centre(side: st.SearchStrategy[float], data: st.DataObject) -> None:
    (x1, x2), (y1, y2) = (sorted(data.draw(st.tuples(side, side))) for _ in range(2))
    box = Box(x1, y1, x2, y2).clipped(100, 80)
    assume(box.x2 - box.x1 > 0.01 and box.y2 - box.y1 > 0.01)
    shape = data.draw(st.sampled_from([(32, 24), (16, 40), (1, 5)]))
    margin = np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=shape).astype(np.float32)
    mask, _ = crop_mask(margin, box, 100, 80)
    expected = exact(margin, box, mask)
    clear = np.abs(expected) > 1e-3
    np.testing.assert_array_equal(mask.pixels[clear], expected[clear] > 0)


def test_a_grid_of_the_box_size_is_copied() -> None:
    margin = np.random.default_rng(0).normal(size=(12, 7)).astype(np.float32)
    mask, score = crop_mask(margin, Box(3, 4, 10, 16), 50, 50)
    np.testing.assert_array_equal(mask.pixels, margin > 0)
    assert (mask.left, mask.top) == (3, 4)
    assert score == pytest.approx(np.mean(1 / (1 + np.exp(-margin[margin > 0]))))


def test_a_higher_threshold_never_adds_pixels() -> None:
    box = Box(0, 0, 90, 120)
    areas = [crop_mask(disc(), box, 90, 120, threshold)[0].area for threshold in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert areas == sorted(areas, reverse=True)


def test_log_odds() -> None:
    odds = log_odds(np.array([0, 0.25, 0.5, 1], dtype=np.float32))
    assert np.isfinite(odds).all()
    assert odds[2] == 0
    assert odds[1] == pytest.approx(np.log(1 / 3))
