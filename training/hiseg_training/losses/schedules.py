"""What changes while a student learns: the temperature, and how much it still listens to its teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHAPES = ("linear", "cosine", "exponential")


@dataclass(frozen=True, slots=True)
class TemperatureSchedule:
    """Temperature of the soft labels, from high to low.

    Attributes:
        initial: at the start.
        final: from ``epochs`` on.
        epochs: how long the way takes.
        shape: ``linear``, ``cosine`` or ``exponential``.
    """

    initial: float = 10.0
    final: float = 1.0
    epochs: float = 50.0
    shape: str = "cosine"

    def __post_init__(self) -> None:
        for name in ("initial", "final", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is not a finite number above 0")
        if self.shape not in SHAPES:
            raise ValueError(f"shape: {self.shape!r} is not one of {', '.join(SHAPES)}")

    def at(self, epoch: float) -> float:
        """The temperature after ``epoch`` epochs; parts of one count."""
        done = min(1.0, max(0.0, epoch / self.epochs))
        if self.shape == "exponential":
            return self.initial * math.pow(self.final / self.initial, done)
        left = 1 - done if self.shape == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.final + (self.initial - self.final) * left


@dataclass(frozen=True, slots=True)
class TeacherShare:
    """How much of the loss is the teacher's: less the closer the student comes, nothing once it is well ahead.

    It depends on the scores of now alone, so a student that falls back listens again.

    Attributes:
        most: share while the student is far behind.
        near: student's score over the teacher's at which the share begins to fall.
        over: the same at which it is 0.
    """

    most: float = 0.7
    near: float = 0.95
    over: float = 1.03

    def __post_init__(self) -> None:
        if not 0 <= self.most <= 1:
            raise ValueError(f"most: {self.most} is not within 0..1")
        if not 0 <= self.near < self.over:
            raise ValueError(f"near: {self.near} is not within 0..over ({self.over})")

    def at(self, student: float, teacher: float) -> float:
        """The share for two scores (higher is better, at least 0); a teacher that knows nothing has no say."""
        if teacher <= 0:
            return 0.0
        return self.most * min(1.0, max(0.0, (self.over - student / teacher) / (self.over - self.near)))
