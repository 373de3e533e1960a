"""Dice against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hiseg_training.losses.overlap import soft_dice
from tests.training.losses.maps import draw, seeds, sigmoid


@given(seeds)
@settings(max_examples=20)
def test_as_defined(seed: int) -> None:
    logits, labels = draw(seed, classes=2)
    truth = labels == 1
    found = []
    for plane, wanted in zip(logits[:, 0], truth, strict=True):
        overlap = total = 0.0
        for value, there in zip(plane.ravel(), wanted.ravel(), strict=True):
            overlap += sigmoid(value) * there
            total += sigmoid(value) + there
        found.append(1 - (2 * overlap + 1) / (total + 1))
    loss = soft_dice(torch.from_numpy(logits[:, 0]).sigmoid(), torch.from_numpy(truth))
    assert loss.item() == pytest.approx(np.mean(found), abs=1e-5)


@given(seeds)
@settings(max_examples=20)
def test_of_partly_covered_cells_it_is_least_at_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = torch.from_numpy(rng.uniform(0, 1, (2, 5, 4)))
    moved = torch.from_numpy(rng.uniform(0, 1, (2, 5, 4)))
    assert soft_dice(truth, truth).item() == pytest.approx(0, abs=1e-6)
    losses = [soft_dice(truth + step * (moved - truth), truth).item() for step in (0.1, 0.5, 1.0)]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_right_empty_and_no_samples() -> None:
    truth = torch.zeros(1, 4, 4)
    assert soft_dice(truth, truth) == 0
    assert soft_dice(truth[:0], truth[:0]) == 0
    truth[:, :2] = 1
    assert soft_dice(truth, truth) == 0
    assert soft_dice(1 - truth, truth) > 0.9
