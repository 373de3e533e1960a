"""What a student is trained to make small: its own loss where there is truth, and its teacher's view everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from hiseg_training.losses.divergence import divergence
from hiseg_training.losses.features import FeatureMatching


class Levelled(Protocol):
    """What a stage says, and what its decoder saw on the way.

    Attributes:
        logits: float ``[B, C, h, w]``; one channel of log-odds, or one a class.
        levels: float ``[B, C_k, h_k, w_k]`` each, deepest first.
    """

    @property
    def logits(self) -> torch.Tensor: ...
    @property
    def levels(self) -> Sequence[torch.Tensor]: ...


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Weights of the teacher's terms.

    Attributes:
        logits: of the softened probabilities' divergence.
        features: of feature matching.
    """

    logits: float = 1.0
    features: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: {getattr(self, name)} is not a finite number of at least 0")


class DistillationLoss(nn.Module):
    """A student's loss under a teacher; its projections are to be trained with the student.

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
        self, student: Levelled, teacher: Levelled, temperature: float, share: float, task: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Every term, unweighted, and ``total``: ``(1 - share) * task + share * (teacher's terms)``.

        Args:
            student: what the student says of some images.
            teacher: what the teacher says of the same.
            temperature: of the soft labels.
            share: how much the teacher's terms count, 0..1.
            task: the student's own loss on those of the images that have true masks; None if none has, and then the
                teacher's terms count in full.
        """
        terms = {
            "logits": divergence(student.logits, teacher.logits, temperature),
            "features": self.matching(student.levels, teacher.levels),
        }
        taught = self.config.logits * terms["logits"] + self.config.features * terms["features"]
        if task is None:
            return {**terms, "total": taught}
        return {**terms, "task": task, "total": (1 - share) * task + share * taught}
