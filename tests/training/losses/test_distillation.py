"""The student's loss under a teacher, its divergences against their definition, and feature matching."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.losses.distillation import (
    DistillationConfig,
    DistillationLoss,
    FeatureMatching,
    binary_divergence,
    class_divergence,
    divergence,
)
from hiseg_training.models.coarse import CoarseStage, reduce
from hiseg_training.models.fine import FineOutput
from hiseg_training.models.freezing import freeze
from tests.training.losses.maps import draw, seeds, sigmoid, softmax


def seen(channels: int, widths: tuple[int, ...], scale: int) -> FineOutput:
    levels = tuple(torch.randn(2, w, 4 * scale, 4 * scale, requires_grad=True) for w in widths)
    return FineOutput(torch.randn(2, channels, 8 * scale, 8 * scale, requires_grad=True), levels)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_total_is_the_weighted_sum_of_the_terms(channels: int) -> None:
    torch.manual_seed(0)
    loss = DistillationLoss(DistillationConfig(features=0.5), (4, 2), (8, 2))
    student, teacher = seen(channels, (4, 2), 1), seen(channels, (8, 2), 2)
    terms = loss(student, teacher, temperature=4.0, share=0.3, task=torch.tensor(2.0))
    taught = terms["logits"] + 0.5 * terms["features"]
    torch.testing.assert_close(terms["total"], 0.7 * 2.0 + 0.3 * taught)
    terms["total"].backward()
    assert student.logits.grad is not None
    assert all(level.grad is not None for level in student.levels)
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert teacher.logits.grad is None


def test_without_true_masks_the_teacher_counts_in_full() -> None:
    loss = DistillationLoss(DistillationConfig(), (4,), (4,))
    student, teacher = seen(1, (4,), 1), seen(1, (4,), 1)
    terms = loss(student, teacher, temperature=1.0, share=0.0, task=None)
    torch.testing.assert_close(terms["total"], terms["logits"] + terms["features"])


def test_a_student_of_another_family_and_size_comes_nearer_to_its_teacher_without_any_truth() -> None:
    torch.manual_seed(0)
    teacher = UNetStage("b0").eval()
    freeze(teacher)
    student = CoarseStage(ModelConfig(coarse_widths=(16, 12, 8, 8))).train()
    loss = DistillationLoss(DistillationConfig(), student.level_channels, teacher.level_channels)
    optimizer = torch.optim.AdamW([*student.parameters(), *loss.parameters()], lr=3e-3)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        wanted = teacher(images)
    losses = []
    for _ in range(12):
        # The teacher sees the canvas as it is, the student half of it, as its configuration says.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = student(reduce(images, 2))
            terms = loss(seen, wanted, temperature=4.0, share=0.7, task=None)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        losses.append(terms["total"].item())
    assert terms["total"].dtype == torch.float32
    assert losses[-1] < 0.8 * losses[0]


def test_impossible_weights_are_named() -> None:
    with pytest.raises(ValueError, match="logits"):
        DistillationConfig(logits=-1)


@given(seeds, st.floats(0.5, 10))
@settings(max_examples=20)
def test_divergences_are_as_defined(seed: int, temperature: float) -> None:
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
def test_divergence_is_0_for_equal_logits_and_finite_for_extreme_ones(channels: int) -> None:
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


def test_all_zero_teacher_features_give_loss_0() -> None:
    seen = torch.zeros(1, 2, 4, 4, requires_grad=True)
    loss = FeatureMatching((2,), (2,))([seen], [torch.zeros(1, 2, 4, 4)])
    loss.backward()
    assert loss == 0
    assert seen.grad is not None
    assert (seen.grad == 0).all()
