"""Scores and learning rates, number by number."""

from __future__ import annotations

import pytest
import torch

from hiseg_training.config.run import Schedule
from hiseg_training.engine.task import learning_rate, mask_iou


def test_intersection_over_union_of_each_pair_is_one_where_both_are_empty() -> None:
    a = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool().reshape(4, 2, 2)
    b = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]).bool().reshape(4, 2, 2)
    assert mask_iou(a, b).tolist() == pytest.approx([1 / 3, 1, 1, 0])


def test_the_rate_rises_to_its_peak_and_falls_to_its_end() -> None:
    schedule = Schedule(learning_rate=2.0, warm_up=0.1, final_rate=0.05)
    rates = [learning_rate(schedule, progress) for progress in (0.0, 0.05, 0.1, 0.55, 1.0, 1.5)]
    assert rates == pytest.approx([0.002, 1.002, 2.0, 1.05, 0.1, 0.1])
