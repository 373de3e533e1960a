"""Boxes that a stream's frames leave out: the last ones, moved to where their masks found the people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hiseg.api.boxes import BoxFormat, to_boxes
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.result import CropMask, Result

MARGIN = 0.1
"""A followed box is larger than its person by this part of the person's width and height at each side."""


class BoxRows(NamedTuple):
    """Boxes as they were given: their numbers, and what these mean."""

    numbers: Sequence[Sequence[float]]
    form: BoxFormat = BoxFormat.XYXY
    normalized: bool = False

    def on(self, width: int, height: int) -> tuple[Box, ...]:
        """The boxes on an image of that size.

        Raises:
            InvalidRequest: a bad box.
        """
        return to_boxes(self.numbers, width, height, self.form, self.normalized)


class BoxTracker:
    """What the next frame without boxes gets. Frames are numbered by the caller, in the order in which they came."""

    def __init__(self) -> None:
        self._boxes: BoxRows | list[Box] = []
        self._of = -1

    def on(self, width: int, height: int) -> tuple[Box, ...]:
        """The boxes for an image of that size."""
        return self._boxes.on(width, height) if isinstance(self._boxes, BoxRows) else tuple(self._boxes)

    def given(self, number: int, rows: BoxRows) -> None:
        """A frame had boxes, but got no masks; wrong ones are not remembered."""
        try:
            rows.on(1, 1)
        except InvalidRequest:
            return
        self._remember(number, rows)

    def found(self, number: int, result: Result) -> None:
        """A frame got masks."""
        self._remember(number, followed(result))

    def _remember(self, number: int, boxes: BoxRows | list[Box]) -> None:
        if number > self._of:
            self._of, self._boxes = number, boxes


def followed(result: Result) -> list[Box]:
    """Where to look for the same people in the next frame; who was not found is looked for in the same place."""
    return [around(found.mask, result.width, result.height) or found.box for found in result.instances]


def around(mask: CropMask, width: int, height: int) -> Box | None:
    """The bounding box of a mask with the margin, on its image; None if the mask is empty."""
    rows, columns = (np.flatnonzero(mask.pixels.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    x1, x2 = mask.left + int(columns[0]), mask.left + int(columns[-1]) + 1
    y1, y2 = mask.top + int(rows[0]), mask.top + int(rows[-1]) + 1
    across, down = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    return Box(x1 - across, y1 - down, x2 + across, y2 + down).clipped(width, height)
