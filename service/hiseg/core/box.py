"""A box: the rectangle of one person in image pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """One person's rectangle in image pixels; ``x2`` and ``y2`` are exclusive, fractions are legal."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def is_empty(self) -> bool:
        return self.x2 <= self.x1 or self.y2 <= self.y1

    @property
    def area(self) -> float:
        """Square pixels; of a box that isn't empty."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box inside a ``width`` x ``height`` image; empty if they do not meet."""
        x1, x2 = (min(max(v, 0.0), float(width)) for v in (self.x1, self.x2))
        y1, y2 = (min(max(v, 0.0), float(height)) for v in (self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def scaled(self, factor: float) -> Box:
        """A box about the same centre, so many times as wide and as high; it may leave the image."""
        if factor == 1:
            return self
        across, down = (self.x2 - self.x1) * (factor - 1) / 2, (self.y2 - self.y1) * (factor - 1) / 2
        return Box(self.x1 - across, self.y1 - down, self.x2 + across, self.y2 + down)

    def as_tuple(self) -> tuple[float, float, float, float]:
        return self.x1, self.y1, self.x2, self.y2
