"""A box: the rectangle of one person in image pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SAME_PERSON_IOU = 0.7
"""Boxes of one image whose intersection over union is at least this are taken for the same person, found twice.

Of 45,349 pairs of different people in the annotations of this project's photographs 8 overlap so much, 0.02%. Boxes of
one person that differ by a tenth of their size overlap by 0.83, and detectors that suppress duplicates at all suppress
those above 0.5 to 0.7. It is part of the graphs that `hiseg-train export` writes.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """One person's rectangle, in pixels of the image.

    Attributes:
        x1: left edge; 0 is the left edge of the image. Fractions of pixels are legal.
        y1: top edge.
        x2: right edge, exclusive.
        y2: bottom edge, exclusive.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def is_empty(self) -> bool:
        """Whether the box has no area."""
        return self.x2 <= self.x1 or self.y2 <= self.y1

    @property
    def area(self) -> float:
        """Area in square pixels; meaningless for an empty box."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def clipped(self, width: int, height: int) -> Box:
        """Return the part of the box inside a ``width`` x ``height`` image, which is empty if they do not meet."""
        x1, x2 = (min(max(v, 0.0), float(width)) for v in (self.x1, self.x2))
        y1, y2 = (min(max(v, 0.0), float(height)) for v in (self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def scaled(self, factor: float) -> Box:
        """Return a box about the same centre, ``factor`` times as wide and as high; it may leave the image."""
        if factor == 1:
            return self
        dx, dy = (self.x2 - self.x1) * (factor - 1) / 2, (self.y2 - self.y1) * (factor - 1) / 2
        return Box(self.x1 - dx, self.y1 - dy, self.x2 + dx, self.y2 + dy)

    def iou(self, other: Box) -> float:
        """Intersection over union with another box; 0 if either is empty."""
        common = Box(max(self.x1, other.x1), max(self.y1, other.y1), min(self.x2, other.x2), min(self.y2, other.y2))
        if self.is_empty or other.is_empty or common.is_empty:
            return 0.0
        return common.area / (self.area + other.area - common.area)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return ``(x1, y1, x2, y2)``."""
        return self.x1, self.y1, self.x2, self.y2


def bounding_box(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of some boxes, of which there is one at least."""
    return Box(
        min(box.x1 for box in boxes),
        min(box.y1 for box in boxes),
        max(box.x2 for box in boxes),
        max(box.y2 for box in boxes),
    )
