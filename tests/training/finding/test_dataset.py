"""Batches of views, and how often photos come in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hiseg_training.engine.process import ProcessRank
from hiseg_training.finding.dataset import ViewDataset, ViewSampler, WholePhotos, collate
from hiseg_training.finding.frames import SOMEBODY, UNKNOWN
from hiseg_training.finding.view import View
from tests.training.crops.photos import ground, person, photo, rectangle
from tests.training.finding.test_view import CONFIG, FRAMES

WEIGHTS = np.array([0.5, 0.25, 0.125, 0.125])


def test_a_draw_is_the_same_wherever_it_is_made() -> None:
    one, other = (ViewDataset(FRAMES, WEIGHTS, CONFIG, 3)[2, 7][0] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_photos_come_as_often_as_they_should_and_processes_share_them() -> None:
    whole = list(ViewSampler(WEIGHTS, 16, 4, 0, ProcessRank()))
    assert np.bincount([photo for batch in whole for photo, _ in batch]).tolist() == [8, 4, 2, 2]
    halves = [list(ViewSampler(WEIGHTS, 16, 4, 0, ProcessRank(rank, 2, 2))) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == [sorted(batch) for batch in whole]
    later = ViewSampler(WEIGHTS, 16, 4, 0, ProcessRank())
    later.set_epoch(1)
    assert len(later) == 4
    assert {number for batch in later for _, number in batch} == set(range(16, 32))
    with pytest.raises(ValueError, match=r"schedule\.batch_size"):
        ViewSampler(WEIGHTS, 16, 3, 0, ProcessRank(0, 2, 2))


def test_unknown_pixels_are_left_out_of_the_foreground() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[:4, :4] = SOMEBODY
    labels[:2, :4] = UNKNOWN
    view = View(np.zeros((8, 8, 3), np.uint8), labels, np.ones((1, 4), np.float32), np.ones(1, bool))
    targets = collate([(view, -1), (view, 5)]).targets(4)
    assert targets.boxes[:, 0].tolist() == [0, 1]
    assert torch.equal(targets.known[0, 0], torch.tensor([[0.5, 1], [1, 1]]))
    assert torch.equal(targets.foreground[0, 0], torch.tensor([[1.0, 0], [0, 0]]))


def test_whole_photos_lie_in_the_corner(tmp_path: Path) -> None:
    photos = WholePhotos([photo(tmp_path / "a.png", ground(), person(rectangle(20, 20, 60, 100)))], (80, 80))
    view, index = photos[0]
    assert (index, photos.scale(0)) == (0, 0.5)
    assert view.boxes.tolist() == [[10, 10, 30, 50]]
    assert not view.pixels[60:].any()
