"""How far a student's probabilities are from its teacher's (Hinton et al., 2015, arXiv:1503.02531).

Both are softened by a temperature T. Softening shrinks gradients by T squared, so the divergence is multiplied by T
squared: its share of the whole loss stays the same while the temperature falls.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def binary_divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) of a yes or no per element, times T squared, averaged.

    Args:
        student: float log-odds, any shape.
        teacher: float log-odds of the same shape; no gradient flows into it.
        temperature: T, above 0.
    """
    ours, theirs = student.float() / temperature, teacher.detach().float() / temperature
    yes = theirs.sigmoid() * (F.logsigmoid(theirs) - F.logsigmoid(ours))
    no = (-theirs).sigmoid() * (F.logsigmoid(-theirs) - F.logsigmoid(-ours))
    return (yes + no).sum() / max(1, ours.numel()) * temperature**2


def class_divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) over the classes, times T squared, averaged over the pixels.

    Args:
        student: float logits ``[N, C, h, w]``.
        teacher: float logits ``[N, C, h, w]``; no gradient flows into it.
        temperature: T, above 0.
    """
    ours = F.log_softmax(student.float() / temperature, dim=1)
    theirs = F.log_softmax(teacher.detach().float() / temperature, dim=1)
    pixels = max(1, ours.numel() // ours.shape[1])
    return F.kl_div(ours, theirs, reduction="sum", log_target=True) / pixels * temperature**2


def divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """The one of the two that the number of channels asks for; maps ``[N, C, h, w]`` of any sizes.

    The teacher's map is brought to the student's size.
    """
    if teacher.shape[2:] != student.shape[2:]:
        teacher = F.interpolate(teacher.detach().float(), student.shape[2:], mode="bilinear", antialias=True)
    return (binary_divergence if student.shape[1] == 1 else class_divergence)(student, teacher, temperature)
