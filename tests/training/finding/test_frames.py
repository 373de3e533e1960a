"""What is known of each pixel of a photo: nobody, somebody, or nothing where somebody has a box alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hiseg_training.finding.frames import NOBODY, SOMEBODY, UNKNOWN, draw_labels, draw_weights, read_frames
from tests.training.crops.photos import ground, person, photo, rectangle


def test_boxes_without_outlines_are_unknown_but_where_somebody_is_outlined(tmp_path: Path) -> None:
    one, two = person(rectangle(20, 20, 60, 100)), person(rectangle(40, 30, 100, 90), outlined=False)
    labels = draw_labels(photo(tmp_path / "a.png", ground(), one, two))
    assert labels[50, 30] == labels[50, 50] == SOMEBODY
    assert labels[50, 80] == UNKNOWN
    assert labels[10, 80] == NOBODY


def test_frames_are_reduced_and_never_enlarged(tmp_path: Path) -> None:
    whole = photo(tmp_path / "a.png", ground(), person(rectangle(20, 20, 60, 100)))
    (small,), (same,) = read_frames([whole], 80), read_frames([whole], 320)
    assert small.pixels.shape == (60, 80, 3)
    assert same.pixels.shape == (120, 160, 3)
    np.testing.assert_allclose(small.boxes, [[10, 10, 30, 50]])
    assert np.count_nonzero(small.labels) == 20 * 40


def test_photos_of_nobody_are_drawn_less_often(tmp_path: Path) -> None:
    peopled = photo(tmp_path / "a.png", ground(), person(rectangle(20, 20, 60, 100)))
    np.testing.assert_allclose(draw_weights([peopled, photo(tmp_path / "b.png", ground())], 0.25), [0.8, 0.2])
