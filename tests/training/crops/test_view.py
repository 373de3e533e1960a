"""What a sample shows of a crop, and its maps of boxes, agree with what a model computes of a whole photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.config.model import TARGET
from hiseg_training.crops.view import View, box_maps, other_boxes, turned, turned_bounds
from hiseg_training.models.roi import box_channels, enlarge, other_people

SIZE = (48, 36)
box = st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(3, 60), st.floats(3, 60)).map(
    lambda v: [v[0], v[1], v[0] + v[2], v[1] + v[3]]
)


@settings(max_examples=40)
@given(boxes=st.lists(box, min_size=1, max_size=6))
def test_maps_are_those_of_the_models_graph(boxes: list[list[float]]) -> None:
    pixels = np.array(boxes)
    rois = torch.tensor([[0.0, *(value / 128 for value in each)] for each in boxes], dtype=torch.float64)
    own, others = pixels[0], pixels[1:]
    kept = other_boxes(own, others)
    assert len(kept) == int(other_people(rois)[0].sum())
    view = View.around(own, np.eye(2), SIZE, 1.2)
    found = box_maps(view.place(own), view.place(kept), SIZE)
    expected = box_channels(rois, enlarge(rois, 1.2), SIZE)[0].numpy()
    # An edge on a pixel's centre may be rounded either way.
    assert np.count_nonzero(found != expected) <= 2 * len(boxes) * max(SIZE)
    assert np.mean(found != expected) < 0.2
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("degrees", [-12, 0, 12])
@pytest.mark.parametrize("flip", [1, -1])
def test_the_box_of_what_is_turned_is_tight(degrees: int, flip: int) -> None:
    labels = np.zeros((64, 48), dtype=np.uint8)
    labels[20:50, 15:30] = TARGET
    pixels = np.repeat((labels * 200)[..., None], 3, axis=2)
    turn = np.deg2rad(degrees)
    linear = np.array([[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]]) * [2, 3]
    bounds = turned_bounds(labels, linear)
    view = View.around(bounds, linear, (96, 72), 1.2)
    seen, there = view.sample(pixels, labels, (96, 72))
    rows, columns = np.nonzero(there == TARGET)
    np.testing.assert_allclose([columns.min(), columns.max() + 1, rows.min(), rows.max() + 1], [6, 66, 8, 88], atol=2)
    assert seen[there == TARGET].mean() > 190
    assert seen[there != TARGET].mean() < 15
    np.testing.assert_allclose(view.place(bounds), [6, 8, 66, 88])


def test_unturned_boxes_are_only_stretched() -> None:
    boxes = np.array([[1.0, 2.0, 5.0, 12.0], [-3.0, 0.0, 3.0, 4.0]])
    np.testing.assert_allclose(turned(boxes, np.diag([2.0, 3.0])), boxes * [2, 3, 2, 3])
    np.testing.assert_allclose(turned(boxes, np.diag([-2.0, 3.0])), [[-10, 6, -2, 36], [-6, 0, 6, 12]])


def test_what_is_much_smaller_is_averaged() -> None:
    stripes = np.zeros((256, 192, 3), dtype=np.uint8)
    stripes[::2] = 200
    view = View.around(np.array([0.0, 0.0, 192.0, 256.0]), np.eye(2), (64, 48), 1.0)
    seen, _ = view.sample(stripes, stripes[..., 0], (64, 48))
    assert abs(seen.astype(int) - 100).max() <= 30
