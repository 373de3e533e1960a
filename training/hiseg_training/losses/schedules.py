"""Schedules of distillation: the temperature by epoch, and the teacher's share of the loss by the scores of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHAPES = ("linear", "cosine", "exponential")


@dataclass(frozen=True, slots=True)
class TemperatureSchedule:
    """Temperature of the soft labels, from high to low.

    Attributes:
        initial: temperature at the start.
        final: temperature from epoch ``epochs`` on.
        epochs: duration of the decay.
        shape: ``linear``, ``cosine`` or ``exponential``.

    Raises:
        ValueError: a value is out of its range; the message begins with its name.
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
        """The temperature after ``epoch`` epochs, which may be a fraction."""
        done = min(1.0, max(0.0, epoch / self.epochs))
        if self.shape == "exponential":
            return self.initial * math.pow(self.final / self.initial, done)
        left = 1 - done if self.shape == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.final + (self.initial - self.final) * left


@dataclass(frozen=True, slots=True)
class TeacherShare:
    """Share of the teacher's terms in the loss: it falls as the student's score approaches the teacher's, to 0.

    It depends on the current scores alone, so it rises again if the student falls back.

    Attributes:
        most: share while the student is far behind, 0..1.
        near: ratio of the student's score to the teacher's at which the share begins to fall.
        over: ratio at which it reaches 0; above ``near``.

    Raises:
        ValueError: a value is out of its range; the message begins with its name.
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
        """The share for two scores (at least 0, higher is better); 0 for a teacher whose score is 0."""
        if teacher <= 0:
            return 0.0
        return self.most * min(1.0, max(0.0, (self.over - student / teacher) / (self.over - self.near)))
