"""Boxes of views lie where the people do, whatever is flipped, enlarged and put together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hiseg_training.finding.frames import NOBODY, SOMEBODY, Frame
from hiseg_training.finding.view import LEAST_SIDE, ViewConfig, make_view

CONFIG = ViewConfig((96, 128), 100, (0.5, 1.5), 0.5, 0.0)


def frame(*boxes: tuple[int, int, int, int]) -> Frame:
    """A grey frame of 80 x 60 with filled people."""
    labels = np.full((60, 80), NOBODY, np.uint8)
    for x1, y1, x2, y2 in boxes:
        labels[y1:y2, x1:x2] = SOMEBODY
    return Frame(np.repeat(labels[:, :, None] * 200, 3, axis=2), labels, np.array(boxes, np.float32).reshape(-1, 4))


FRAMES = [frame((10, 10, 40, 50)), frame(), frame((0, 0, 20, 60), (50, 20, 79, 40)), frame((30, 5, 34, 9))]


@given(st.integers(0, 10_000))
def test_people_are_inside_their_boxes_and_nowhere_else(seed: int) -> None:
    view = make_view(np.random.default_rng(seed), FRAMES, [0, 1, 2, 3], CONFIG)
    assert view.labels.shape == (96, 128)
    assert (view.boxes[:, :2] >= 0).all()
    assert (view.boxes[:, 2:] <= (128, 96)).all()
    left = view.labels.copy()
    for x1, y1, x2, y2 in view.boxes:
        left[max(0, int(y1) - 1) : int(y2) + 2, max(0, int(x1) - 1) : int(x2) + 2] = NOBODY
    assert not left.any()
    assert ((view.boxes[:, 2:] - view.boxes[:, :2])[view.counted] >= LEAST_SIDE).all()


def test_views_without_augmentation_show_the_photo_whole() -> None:
    config = ViewConfig((96, 128), 128, (0.5, 1.5), 1.0, 1.0, augment=False)
    view = make_view(np.random.default_rng(0), FRAMES, [0, 1, 1, 1], config)
    np.testing.assert_allclose(view.boxes, [[12, 12, 48, 60]])
    assert view.counted.all()


def test_who_is_mostly_outside_is_not_to_be_found() -> None:
    config = ViewConfig((32, 32), 320, (1.0, 1.0), 0.0, 0.0)
    view = make_view(np.random.default_rng(0), [frame((0, 0, 80, 60))], [0], config)
    assert view.counted.tolist() == [False]
