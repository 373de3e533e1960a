"""Divergences against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.losses.divergence import binary_divergence, class_divergence, divergence
from tests.training.losses.maps import draw, seeds, sigmoid, softmax


@given(seeds, st.floats(0.5, 10))
@settings(max_examples=20)
def test_as_defined(seed: int, temperature: float) -> None:
    (student, _), (teacher, _) = draw(seed), draw(seed + 1)
    classes, binary = [], []
    for n, y, x in np.ndindex(2, 5, 4):
        p, q = softmax(teacher[n, :, y, x] / temperature), softmax(student[n, :, y, x] / temperature)
        classes.append(float((p * np.log(p / q)).sum()))
        yes, guess = sigmoid(teacher[n, 0, y, x] / temperature), sigmoid(student[n, 0, y, x] / temperature)
        binary.append(yes * np.log(yes / guess) + (1 - yes) * np.log((1 - yes) / (1 - guess)))
    ours, theirs = torch.from_numpy(student), torch.from_numpy(teacher)
    found = class_divergence(ours, theirs, temperature).item()
    assert found == pytest.approx(np.mean(classes) * temperature**2, rel=2e-3, abs=1e-4)
    found = binary_divergence(ours[:, :1], theirs[:, :1], temperature).item()
    assert found == pytest.approx(np.mean(binary) * temperature**2, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_is_nothing_and_extremes_are_finite(channels: int) -> None:
    teacher = torch.tensor([-200.0, 0.0, 200.0, 30.0]).view(1, 1, 2, 2).repeat(1, channels, 1, 1)
    assert divergence(teacher, teacher, 4.0).item() == pytest.approx(0, abs=1e-6)
    student = (-teacher).bfloat16().requires_grad_()
    divergence(student, teacher, 1.0).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert divergence(student[:0], teacher[:0], 1.0) == 0


def test_gradients_keep_their_size_while_the_temperature_falls() -> None:
    sizes = []
    for temperature in (10.0, 5.0):
        student = torch.tensor([[[[0.1]]]], requires_grad=True)
        divergence(student, torch.tensor([[[[0.4]]]]), temperature).backward()
        assert student.grad is not None
        sizes.append(abs(student.grad.item()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_the_teachers_map_is_brought_to_the_students_size() -> None:
    student = torch.randn(1, 1, 4, 4)
    large = student.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert divergence(student, large, 1.0) < 0.2 * divergence(student, -large, 1.0)
