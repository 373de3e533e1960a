"""Cross-entropies against a pixel at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.losses.pixels import binary_cross_entropy, class_cross_entropy, weighted_mean
from tests.training.losses.maps import draw, seeds, sigmoid, softmax

GAMMAS = st.sampled_from([0.0, 0.5, 2.0])


@given(seeds, st.tuples(*[st.floats(0, 3)] * 3), GAMMAS)
@settings(max_examples=30)
def test_classes(seed: int, class_weights: tuple[float, float, float], gamma: float) -> None:
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
def test_yes_or_no(seed: int, positive_weight: float, gamma: float) -> None:
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


def test_nothing_weighs_nothing() -> None:
    assert weighted_mean(torch.ones(3), torch.zeros(3)) == 0
    assert weighted_mean(torch.ones(0), torch.ones(0)) == 0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_sure_and_right_pixel_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[[[100.0]], [[-100.0]]]], requires_grad=True)
    class_cross_entropy(logits, torch.zeros(1, 1, 1, dtype=torch.long), (1.0, 1.0), None, gamma).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    yes = torch.full((1,), 100.0, requires_grad=True)
    binary_cross_entropy(yes, torch.ones(1), gamma=gamma).backward()
    assert yes.grad is not None
    assert yes.grad.isfinite().all()
