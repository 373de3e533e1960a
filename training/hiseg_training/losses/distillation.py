"""Loss of a student under a teacher: its own loss where masks are known, and its distance to the teacher everywhere.

The distance has two terms: divergence of softened probabilities (Hinton et al., 2015, arXiv:1503.02531) and feature
matching of decoder levels (Romero et al., 2014, arXiv:1412.6550).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

MIN_ENERGY = 1e-6


class Prediction(Protocol):
    """What a network predicts for some images.

    Attributes:
        logits: float ``[B, C, h, w]``; one channel of log-odds, or one a class.
        levels: float ``[B, C_k, h_k, w_k]`` each, features of the decoder levels, deepest first.
    """

    @property
    def logits(self) -> torch.Tensor: ...
    @property
    def levels(self) -> Sequence[torch.Tensor]: ...


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Weights of the teacher's terms.

    Attributes:
        logits: of the divergence of softened probabilities.
        features: of feature matching.

    Raises:
        ValueError: a weight isn't a finite number of at least 0; the message begins with its name.
    """

    logits: float = 1.0
    features: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: {getattr(self, name)} is not a finite number of at least 0")


class DistillationLoss(nn.Module):
    """A student's loss under a teacher; its projections are trained together with the student.

    Args:
        config: weights of the terms.
        student_channels: of the student's decoder levels, deepest first.
        teacher_channels: of the teacher's.
    """

    def __init__(
        self, config: DistillationConfig, student_channels: Sequence[int], teacher_channels: Sequence[int]
    ) -> None:
        super().__init__()
        self.config = config
        self.matching = FeatureMatching(student_channels, teacher_channels)

    def forward(
        self, student: Prediction, teacher: Prediction, temperature: float, share: float, task: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Compute all terms.

        Args:
            student: the student's prediction for some images.
            teacher: the teacher's prediction for the same images; no gradient flows into it.
            temperature: of the softened probabilities, above 0.
            share: weight of the teacher's terms against the student's own loss, 0..1.
            task: the student's own loss, a scalar, on those of the images that have true masks; None if none has, and
                then the teacher's terms count in full.

        Returns:
            Scalars by name: ``logits``, ``features`` and ``task``, unweighted, and their weighted sum ``total``,
            ``(1 - share) * task + share * (teacher's terms)``.
        """
        terms = {
            "logits": divergence(student.logits, teacher.logits, temperature),
            "features": self.matching(student.levels, teacher.levels),
        }
        from_teacher = self.config.logits * terms["logits"] + self.config.features * terms["features"]
        if task is None:
            return {**terms, "total": from_teacher}
        return {**terms, "task": task, "total": (1 - share) * task + share * from_teacher}


def divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence of softened probabilities: binary for one channel, over classes for more.

    Softening by a temperature T shrinks gradients by T squared, so the divergence is multiplied by T squared: its part
    of the whole loss stays the same while the temperature falls.

    Args:
        student: float logits ``[N, C, h, w]``.
        teacher: float logits ``[N, C, h', w']``, resized to the student's size; no gradient flows into it.
        temperature: T, above 0.

    Returns:
        A float32 scalar.
    """
    if teacher.shape[2:] != student.shape[2:]:
        teacher = F.interpolate(teacher.detach().float(), student.shape[2:], mode="bilinear", antialias=True)
    return (binary_divergence if student.shape[1] == 1 else class_divergence)(student, teacher, temperature)


def binary_divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) of one probability per element, times T squared, averaged over the elements.

    Args:
        student: float log-odds, any shape.
        teacher: float log-odds of the same shape; no gradient flows into it.
        temperature: T, above 0.
    """
    ours, theirs = student.float() / temperature, teacher.detach().float() / temperature
    positive = theirs.sigmoid() * (F.logsigmoid(theirs) - F.logsigmoid(ours))
    negative = (-theirs).sigmoid() * (F.logsigmoid(-theirs) - F.logsigmoid(-ours))
    return (positive + negative).sum() / max(1, ours.numel()) * temperature**2


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


class FeatureMatching(nn.Module):
    """Relative squared error between the decoder levels of student and teacher, averaged over the levels.

    Where channels differ, a 1x1 convolution projects the student's level; these convolutions are trained with the
    student and thrown away with the teacher.

    Args:
        student_channels: of the student's levels, deepest first.
        teacher_channels: of the teacher's; where one side has more levels, its shallowest ones are ignored.
    """

    def __init__(self, student_channels: Sequence[int], teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(ours, theirs, 1) if ours != theirs else nn.Identity()
            for ours, theirs in zip(student_channels, teacher_channels, strict=False)
        )

    def forward(self, student: Sequence[torch.Tensor], teacher: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute the error.

        Args:
            student: float levels ``[B, C_k, h_k, w_k]``, deepest first.
            teacher: levels of the same images, resized to the student's sizes. No gradient flows into them.

        Returns:
            A float32 scalar: 0 where the features are equal, about 1 where the student's are 0.
        """
        errors = []
        for projection, ours, theirs in zip(self.projections, student, teacher, strict=False):
            projected = projection(ours).float()
            wanted = theirs.detach().float()
            if wanted.shape[2:] != projected.shape[2:]:
                wanted = F.interpolate(wanted, projected.shape[2:], mode="bilinear", antialias=True)
            energy = wanted.square().sum().clamp(min=MIN_ENERGY)
            errors.append((projected - wanted).square().sum() / energy)
        return torch.stack(errors).mean()
