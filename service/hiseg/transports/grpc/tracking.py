"""Boxes for frames of a stream that have none: the last ones, moved to where the masks found the people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hiseg.api.boxes import BoxFormat, to_boxes
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.result import CropMask, Result

MARGIN = 0.1
"""Part of the person's width and height by which a followed box is larger than the person at each side."""


class BoxRows(NamedTuple):
    """Boxes as the caller sent them.

    Attributes:
        numbers: one row of four numbers for each person.
        box_format: what the four numbers mean.
        normalized: whether they are shares 0..1 of the image's width and height instead of pixels.
    """

    numbers: Sequence[Sequence[float]]
    box_format: BoxFormat = BoxFormat.XYXY
    normalized: bool = False

    def boxes_for(self, width: int, height: int) -> tuple[Box, ...]:
        """Convert the rows to boxes in pixels of an image of ``width`` x ``height`` pixels.

        Raises:
            InvalidRequest: a row is no valid box.
        """
        return to_boxes(self.numbers, width, height, self.box_format, self.normalized)


class BoxTracker:
    """Remembers boxes for the next frame that has none.

    Frames are numbered in the order in which they came; what a later frame left is never replaced by an earlier one's.
    """

    def __init__(self) -> None:
        self._boxes: BoxRows | list[Box] = []
        self._last_number = -1
        """Number of the frame that the boxes are from."""

    @property
    def is_empty(self) -> bool:
        """Whether no boxes are remembered, or there were none."""
        return not (self._boxes.numbers if isinstance(self._boxes, BoxRows) else self._boxes)

    def boxes_for(self, width: int, height: int) -> tuple[Box, ...]:
        """Return the remembered boxes in pixels of an image of ``width`` x ``height`` pixels; none at first."""
        return self._boxes.boxes_for(width, height) if isinstance(self._boxes, BoxRows) else tuple(self._boxes)

    def remember_boxes(self, number: int, rows: BoxRows) -> None:
        """Remember the boxes that came with frame ``number``, which got no masks; invalid boxes are ignored."""
        try:
            rows.boxes_for(1, 1)
        except InvalidRequest:
            return
        self._remember(number, rows)

    def remember_masks(self, number: int, result: Result) -> None:
        """Remember where the masks of frame ``number`` found the people."""
        self._remember(number, next_boxes(result))

    def _remember(self, number: int, boxes: BoxRows | list[Box]) -> None:
        if number > self._last_number:
            self._last_number, self._boxes = number, boxes


def next_boxes(result: Result) -> list[Box]:
    """Return a box for each person in the next frame: around the mask, or where that is empty the old box."""
    return [padded_bounding_box(found.mask, result.width, result.height) or found.box for found in result.people]


def padded_bounding_box(mask: CropMask, width: int, height: int) -> Box | None:
    """Return the bounding box of a mask, larger by :data:`MARGIN` at each side and clipped to the image.

    Args:
        mask: of one person.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Returns:
        The box in image pixels, or None if the mask is empty.
    """
    rows, columns = (np.flatnonzero(mask.pixels.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    x1, x2 = mask.left + int(columns[0]), mask.left + int(columns[-1]) + 1
    y1, y2 = mask.top + int(rows[0]), mask.top + int(rows[-1]) + 1
    across, down = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    return Box(x1 - across, y1 - down, x2 + across, y2 + down).clipped(width, height)
