"""Drawn people: as bright as the photo outside, smooth at the edges, and only where the threshold lets them."""

from __future__ import annotations

import numpy as np

from hiseg.core.box import Box
from hiseg_training.inference.draw import draw_foreground, draw_people, soft_masks

PHOTO = np.full((60, 80, 3), 100, dtype=np.uint8)
BOX = Box(10, 5, 50, 55)


def disc() -> np.ndarray:
    """Logits ``[1, 3, 32, 24]`` of a person who fills the middle of the box."""
    y, x = np.mgrid[-1:1:32j, -1:1:24j]
    logits = np.zeros((1, 3, 32, 24), dtype=np.float32)
    logits[0, 1] = (0.5 - np.hypot(x, y)) * 8
    return logits


def test_outside_the_photo_stays_as_it_is() -> None:
    people = soft_masks(disc(), [BOX], 80, 60, 0.01)
    drawn = draw_people(PHOTO, people, 0.5)
    assert (drawn[:, :8] == 100).all()
    assert (drawn[:, 52:] == 100).all()
    assert (drawn[30, 30] != 100).any()
    assert (PHOTO == 100).all()


def test_edges_are_smooth_and_where_the_margin_changes_sign() -> None:
    (person,) = soft_masks(disc(), [BOX], 80, 60, 0.0)
    row = person.distance[25]
    # The disc is half the box's 40 pixels wide: its edge is 10 pixels from the middle, and distances are in pixels.
    inside = np.flatnonzero(row > 0)
    assert abs(len(inside) - 20) <= 1
    steps = np.diff(row[inside[0] - 1 : inside[0] + 2])
    np.testing.assert_allclose(steps, 1, atol=0.2)


def test_the_threshold_takes_unlikely_pixels_away() -> None:
    areas = [int((soft_masks(disc(), [BOX], 80, 60, t)[0].distance > 0).sum()) for t in (0.01, 0.5, 0.9, 1.0)]
    assert areas[0] >= areas[1] > areas[2] > areas[3] == 0


def test_masks_of_noughts_and_ones() -> None:
    ones = np.zeros((1, 1, 32, 24), dtype=np.float32)
    ones[:, :, 8:24, 6:18] = 1
    (person,) = soft_masks(ones, [BOX], 80, 60, 0.5)
    assert abs(int((person.distance > 0).sum()) - 20 * 25) < 40


def test_green_is_as_strong_as_the_probability() -> None:
    probability = np.zeros((60, 80), dtype=np.float32)
    probability[:, 40:] = 1
    probability[:, 60:] = 0.5
    drawn = draw_foreground(PHOTO, probability, 0.7).astype(int)
    assert (drawn[:, :40] == 100).all()
    assert (drawn[:, 40:60, 1] > drawn[:, 60:, 1][:, :20]).all()
    assert (drawn[:, 40:60, 0] == 30).all()
