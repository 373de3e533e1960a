"""RoI Align and the boxes inside a crop."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import SAME_PERSON_IOU
from hiseg_training.models.roi import box_channels, box_map, cell_centres, enlarge, other_people, roi_align


def test_a_full_frame_box_loses_no_row_or_column() -> None:
    ones = torch.ones(2, 3, 30, 40)
    full = torch.tensor([[0.0, 0, 0, 1, 1], [1.0, 0, 0, 1, 1]])
    torch.testing.assert_close(roi_align(ones, full, (12, 9)), torch.ones(2, 3, 12, 9))
    ramp = torch.arange(16.0).repeat(16, 1)[None, None]
    torch.testing.assert_close(roi_align(ramp, full[:1], (4, 4))[0, 0, 0], torch.tensor([1.5, 5.5, 9.5, 13.5]))


def test_shrinking_averages_instead_of_picking() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(8)[None].expand(16, -1)[None, None]
    small = roi_align(stripes, torch.tensor([[0.0, 0, 0, 1, 1]]), (4, 4))
    torch.testing.assert_close(small, torch.full((1, 1, 4, 4), 0.5))


@given(st.floats(-0.2, 0.9), st.floats(0.05, 0.8))
def test_images_of_a_batch_never_mix(low: float, side: float) -> None:
    maps = torch.stack([torch.full((1, 20, 20), float(k + 1)) for k in range(3)])
    rois = torch.tensor([[float(k), low, low, low + side, low + side] for k in range(3)])
    found = roi_align(maps, rois, (5, 5))
    for k in range(3):
        seen = found[k][found[k] > 0]
        assert (seen <= k + 1 + 1e-4).all()
    inside = roi_align(maps, torch.tensor([[1.0, 0.2, 0.2, 0.8, 0.8]]), (5, 5))
    torch.testing.assert_close(inside, torch.full_like(inside, 2.0))


def test_far_outside_is_zero() -> None:
    found = roi_align(torch.ones(1, 1, 10, 10), torch.tensor([[0.0, -1, -1, 0, 0]]), (4, 4))
    assert found[0, 0, 0, 0] == 0


def test_nearest_keeps_labels_whole() -> None:
    labels = torch.randint(0, 9, (1, 1, 24, 24)).float()
    found = roi_align(labels, torch.tensor([[0.0, 0.1, 0.1, 0.9, 0.7]]), (16, 16), mode="nearest")
    assert set(found.unique().tolist()) <= set(labels.unique().tolist())
    whole = roi_align(labels, torch.tensor([[0.0, 0, 0, 1, 1]]), (24, 24), mode="nearest")
    torch.testing.assert_close(whole, labels)


def test_enlarge_keeps_centre_and_index() -> None:
    grown = enlarge(torch.tensor([[3.0, 0.2, 0.4, 0.4, 0.8]]), 1.5)
    torch.testing.assert_close(grown, torch.tensor([[3.0, 0.15, 0.3, 0.45, 0.9]]))


def test_cell_centres() -> None:
    torch.testing.assert_close(cell_centres(torch.tensor([0.0]), torch.tensor([1.0]), 4)[0], torch.arange(1, 8, 2) / 8)


def test_box_channels_know_own_box_others_and_images() -> None:
    rois = torch.tensor([[0.0, 0, 0, 0.5, 1], [0.0, 0.5, 0, 1, 1], [1.0, 0, 0, 1, 1]])
    whole = rois.clone()
    whole[:, 1:] = torch.tensor([0.0, 0, 1, 1])
    own, others = box_channels(rois, whole, (8, 8)).unbind(1)
    assert own[0, :, :4].all()
    assert not own[0, :, 4:].any()
    torch.testing.assert_close(others[0], own[1])
    torch.testing.assert_close(others[1], own[0])
    assert not others[2].any(), "the people of another image are nobody's neighbours"


BOX = (0.2, 0.2, 0.6, 0.8)
NEAR = {
    "same": BOX,
    "shifted by 5%": (0.22, 0.23, 0.62, 0.83),
    "10% larger": (0.18, 0.17, 0.62, 0.83),
    "10% smaller": (0.22, 0.23, 0.58, 0.77),
    "larger and shifted": (0.195, 0.195, 0.625, 0.835),
}
OTHERS = {
    "beside": (0.6, 0.2, 1.0, 0.8),
    "half over": (0.4, 0.2, 0.8, 0.8),
    "a child in front": (0.3, 0.5, 0.5, 0.8),
    "upper body": (0.2, 0.2, 0.6, 0.5),
    "around": (0.1, 0.1, 0.7, 0.9),
    "without area": (0.3, 0.3, 0.3, 0.3),
}


def rows(*boxes: tuple[float, ...], image: int = 0) -> torch.Tensor:
    return torch.tensor([(float(image), *box) for box in boxes])


@pytest.mark.parametrize("box", NEAR.values(), ids=NEAR)
def test_a_near_duplicate_is_no_other_person(box: tuple[float, ...]) -> None:
    rois = rows(BOX, box)
    assert not other_people(rois).any()
    channels = box_channels(rois, rois, (8, 6))
    alone = box_channels(rois[1:], rois[1:], (8, 6))
    torch.testing.assert_close(channels[1:], alone, rtol=0, atol=0)


@pytest.mark.parametrize("box", OTHERS.values(), ids=OTHERS)
def test_a_neighbour_is_one_however_much_of_him_is_inside(box: tuple[float, ...]) -> None:
    assert other_people(rows(BOX, box)).tolist() == [[False, True], [True, False]]


def test_a_duplicate_of_a_neighbour_changes_nothing_about_where_others_are() -> None:
    beside = OTHERS["beside"]
    once, twice = rows(BOX, beside), rows(beside, BOX, beside)
    crop = enlarge(once, 1.2)
    torch.testing.assert_close(
        box_channels(once, crop, (16, 12))[0], box_channels(twice, crop[[1, 0, 1]], (16, 12))[1], rtol=0, atol=0
    )


def test_near_duplicates_are_not_passed_on_along_a_row() -> None:
    row = rows(*((0.1 + shift, 0.2, 0.5 + shift, 0.8) for shift in (0, 0.06, 0.12)))
    assert other_people(row).tolist() == [[False, False, True], [False, False, False], [True, False, False]]


def test_people_of_other_images_are_neither_others_nor_duplicates() -> None:
    rois = torch.cat([rows(BOX, BOX), rows(BOX, OTHERS["beside"], image=1)])
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[2, 3] = expected[3, 2] = True
    assert torch.equal(other_people(rois), expected)


def test_a_hundred_times_the_same_box_is_one_person() -> None:
    rois = rows(*[BOX] * 100)
    assert not other_people(rois).any()
    assert not box_channels(rois, enlarge(rois, 1.2), (8, 6))[:, 1].any()


corners = st.tuples(*[st.integers(0, 18)] * 2, *[st.integers(0, 20)] * 2)


@given(st.lists(corners, max_size=8), st.randoms(use_true_random=False))
def test_others_are_those_below_the_threshold_in_any_order(
    found: list[tuple[float, ...]], random: random.Random
) -> None:
    boxes = [(x / 20, y / 20, min(20, x + w) / 20, min(20, y + h) / 20) for x, y, w, h in found]
    rois = torch.tensor([(0.0, *box) for box in boxes]).reshape(-1, 5)
    others = other_people(rois)
    assert torch.equal(others, others.T)
    for i, one in enumerate(boxes):
        assert not others[i, i]
        for j, two in enumerate(boxes[:i]):
            overlap = iou(one, two)
            if abs(overlap - SAME_PERSON_IOU) > 1e-4:
                assert bool(others[i, j]) is (overlap < SAME_PERSON_IOU)
    order = list(range(len(boxes)))
    random.shuffle(order)
    assert torch.equal(other_people(rois[order]), others[order][:, order])


def iou(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """Of two boxes x1 y1 x2 y2; 1 for two without area."""
    width, height = (max(0.0, min(one[k + 2], two[k + 2]) - max(one[k], two[k])) for k in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    union = areas - width * height
    return width * height / union if union > 1e-12 else 1.0


@pytest.mark.parametrize("people", [0, 1])
def test_box_channels_of_no_and_one_person(people: int) -> None:
    rois = torch.rand(people, 5) * 0
    assert box_channels(rois, rois, (4, 6)).shape == (people, 2, 4, 6)
    assert roi_align(torch.ones(1, 3, 8, 8), rois, (4, 6)).shape == (people, 3, 4, 6)


def test_a_map_has_everybodys_boxes_on_their_own_canvas() -> None:
    rois = torch.tensor([[0, 0.25, 0.0, 0.75, 0.5], [0, 0.5, 0.0, 1.0, 0.5], [2, 0.0, 0.0, 1.0, 1.0]])
    found = box_map(rois, 3, (4, 8))
    assert found.shape == (3, 1, 4, 8)
    assert found[0, 0, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert not found[0, 0, 2:].any()
    assert not found[1].any()
    assert found[2].all()
    assert not box_map(rois[:0], 2, (4, 8)).any()
