"""Cross-entropies against a pixel at a time, and Dice against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.losses.pixels import binary_cross_entropy, class_cross_entropy, soft_dice, weighted_mean
from tests.training.losses.maps import draw, seeds, sigmoid, softmax

GAMMAS = st.sampled_from([0.0, 0.5, 2.0])


@given(seeds, st.tuples(*[st.floats(0, 3)] * 3), GAMMAS)
@settings(max_examples=30)
def test_cross_entropy_is_as_defined(seed: int, class_weights: tuple[float, float, float], gamma: float) -> None:
    logits, labels = draw(seed)
    where = np.random.default_rng(seed).uniform(0, 2, labels.shape).astype(np.float32)
    total = weight = 0.0
    for n, y, x in np.ndindex(*labels.shape):
        p = softmax(logits[n, :, y, x])[labels[n, y, x]]
        here = class_weights[labels[n, y, x]] * where[n, y, x]
        total += here * (1 - p) ** gamma * -np.log(p)
        weight += here
    found = class_cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(labels), class_weights, torch.from_numpy(where), gamma
    )
    assert found.item() == pytest.approx(total / max(weight, 1e-6), rel=2e-3, abs=1e-4)


@given(seeds, st.floats(0.1, 4), GAMMAS)
@settings(max_examples=30)
def test_binary_cross_entropy_is_as_defined(seed: int, positive_weight: float, gamma: float) -> None:
    logits, _ = draw(seed)
    rng = np.random.default_rng(seed)
    truth = rng.choice([0.0, 0.25, 1.0], logits.shape).astype(np.float32)
    where = rng.choice([0.0, 1.0, 1.5], logits.shape).astype(np.float32)
    total = 0.0
    for value, wanted, here in zip(logits.ravel(), truth.ravel(), where.ravel(), strict=True):
        p = sigmoid(value)
        entropy = -(positive_weight * wanted * np.log(p) + (1 - wanted) * np.log1p(-p))
        total += here * abs(wanted - p) ** gamma * entropy
    found = binary_cross_entropy(*map(torch.from_numpy, (logits, truth, where)), positive_weight, gamma)
    assert found.item() == pytest.approx(total / max(where.sum(), 1e-6), rel=2e-3, abs=1e-4)


def test_a_mean_without_weight_is_0() -> None:
    assert weighted_mean(torch.ones(3), torch.zeros(3)) == 0
    assert weighted_mean(torch.ones(0), torch.ones(0)) == 0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_confident_correct_pixel_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[[[100.0]], [[-100.0]]]], requires_grad=True)
    class_cross_entropy(logits, torch.zeros(1, 1, 1, dtype=torch.long), (1.0, 1.0), None, gamma).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    yes = torch.full((1,), 100.0, requires_grad=True)
    binary_cross_entropy(yes, torch.ones(1), gamma=gamma).backward()
    assert yes.grad is not None
    assert yes.grad.isfinite().all()


@given(seeds)
@settings(max_examples=20)
def test_dice_is_as_defined(seed: int) -> None:
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
def test_dice_of_partly_covered_cells_is_least_at_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = torch.from_numpy(rng.uniform(0, 1, (2, 5, 4)))
    moved = torch.from_numpy(rng.uniform(0, 1, (2, 5, 4)))
    assert soft_dice(truth, truth).item() == pytest.approx(0, abs=1e-6)
    losses = [soft_dice(truth + step * (moved - truth), truth).item() for step in (0.1, 0.5, 1.0)]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_dice_of_right_empty_and_no_samples() -> None:
    truth = torch.zeros(1, 4, 4)
    assert soft_dice(truth, truth) == 0
    assert soft_dice(truth[:0], truth[:0]) == 0
    truth[:, :2] = 1
    assert soft_dice(truth, truth) == 0
    assert soft_dice(1 - truth, truth) > 0.9
