"""Feature matching."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hiseg_training.losses.features import FeatureMatching
from tests.training.losses.maps import seeds


@given(seeds)
@settings(max_examples=10)
def test_relative_squared_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours = [rng.normal(0, 2, (2, c, 3, 2)).astype(np.float32) for c in (4, 3)]
    theirs = [rng.normal(0, 2, (2, c, 3, 2)).astype(np.float32) for c in (4, 3)]
    levels = []
    for a, b in zip(ours, theirs, strict=True):
        pairs = list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
        levels.append(sum((x - y) ** 2 for x, y in pairs) / sum(y**2 for _, y in pairs))
    matching = FeatureMatching((4, 3), (4, 3))
    assert not list(matching.parameters()), "equal widths need no projection"
    found = matching(list(map(torch.from_numpy, ours)), list(map(torch.from_numpy, theirs)))
    assert found.item() == pytest.approx(np.mean(levels), rel=1e-4)


def test_widths_sizes_and_numbers_of_levels_may_differ() -> None:
    torch.manual_seed(0)
    matching = FeatureMatching((8, 4), (16, 4, 2))
    student = [torch.randn(1, 8, 4, 4, requires_grad=True), torch.randn(1, 4, 8, 8, requires_grad=True)]
    teacher = [torch.randn(1, c, s, s, requires_grad=True) for c, s in ((16, 8), (4, 16), (2, 32))]
    optimizer = torch.optim.Adam([*student, *matching.parameters()], lr=0.1)
    first = matching(student, teacher)
    for _ in range(150):
        optimizer.zero_grad()
        loss = matching(student, teacher)
        loss.backward()
        optimizer.step()
    assert loss < 0.05 * first
    assert all(level.grad is None for level in teacher)


def test_a_teacher_that_sees_nothing() -> None:
    seen = torch.zeros(1, 2, 4, 4, requires_grad=True)
    loss = FeatureMatching((2,), (2,))([seen], [torch.zeros(1, 2, 4, 4)])
    loss.backward()
    assert loss == 0
    assert seen.grad is not None
    assert (seen.grad == 0).all()
