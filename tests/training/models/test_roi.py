"""RoI Align and the boxes inside a crop."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hiseg_training.models.roi import box_channels, box_map, cell_centres, enlarge, roi_align


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


def test_the_same_box_twice_is_an_other_box() -> None:
    rois = torch.tensor([[0.0, 0.2, 0.2, 0.8, 0.8]]).repeat(2, 1)
    assert box_channels(rois, rois, (4, 4))[:, 1].all()
    assert not box_channels(rois[:1], rois[:1], (4, 4))[:, 1].any()


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
