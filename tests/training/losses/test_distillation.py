"""The student's loss under a teacher."""

from __future__ import annotations

import pytest
import torch

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.losses.distillation import DistillationConfig, DistillationLoss
from hiseg_training.models.coarse import CoarseStage, reduce
from hiseg_training.models.freezing import freeze
from hiseg_training.models.outputs import FineOutput


def seen(channels: int, widths: tuple[int, ...], scale: int) -> FineOutput:
    levels = tuple(torch.randn(2, w, 4 * scale, 4 * scale, requires_grad=True) for w in widths)
    return FineOutput(torch.randn(2, channels, 8 * scale, 8 * scale, requires_grad=True), levels)


@pytest.mark.parametrize("channels", [1, 3])
def test_terms_and_their_sum(channels: int) -> None:
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
