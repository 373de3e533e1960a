"""Finds are counted as COCO counts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hiseg_training.evaluation.finding import Finds, box_precision, false_finds, suppress
from tests.training.crops.photos import ground, person, photo, rectangle


def finds(*rows: tuple[float, float, float, float, float]) -> Finds:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Finds(table[:, :4], table[:, 4])


def test_a_right_box_a_wrong_one_and_a_missed_person(tmp_path: Path) -> None:
    one, two = person(rectangle(10, 5, 110, 115)), person(rectangle(120, 20, 150, 80))
    photos = [photo(tmp_path / "a.png", ground(), one, two)]
    right = finds((10, 5, 110, 115, 0.9), (120, 20, 150, 80, 0.8))
    assert box_precision(photos, [right]) == {"AP": 1.0, "AP50": 1.0, "recall of large": 1.0}
    half = finds((10, 5, 110, 115, 0.9), (0, 100, 20, 120, 0.8))
    assert box_precision(photos, [half])["AP50"] == pytest.approx(0.5, abs=0.01)
    missed = finds((120, 20, 150, 80, 0.8))
    assert box_precision(photos, [missed])["recall of large"] == 0
    assert box_precision(photos, [finds()])["AP50"] == 0


def test_false_finds_are_counted_a_photo() -> None:
    found = false_finds([finds((0, 0, 5, 5, 0.35), (0, 0, 9, 9, 0.55)), finds()])
    assert found == {0.3: 1.0, 0.4: 0.5, 0.5: 0.5}
    assert false_finds([]) == {}


def test_of_overlapping_boxes_the_surest_is_kept() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 20, 5, 25]])
    scores = torch.tensor([0.5, 0.9, 0.7, 0.01])
    assert suppress(scores, boxes, 0.05, 0.6, 10).tolist() == [1, 2]
    assert suppress(scores, boxes, 0.05, 0.6, 1).tolist() == [1]
    assert suppress(scores, boxes, 0.05, 0.9, 10).tolist() == [1, 2, 0]
