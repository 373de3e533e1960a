"""What of a person's surroundings a sample shows: their box and the context around it, and where other boxes lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.box import SAME_PERSON_IOU
from hiseg.core.image import Pixels, Size
from hiseg_training.config.model import TARGET

Array = npt.NDArray[np.floating[Any]]
FINEST = 0.6
"""Pixels of a sample that are one of the crop, below which the crop is sampled at twice the size and averaged."""


class View(NamedTuple):
    """A map from edges of a crop's pixels to those of a sample's: turned by ``linear``, then stretched and shifted.

    Attributes:
        linear: float ``[2, 2]``, from pixels of the crop, (x, y), to those of the photo, turned and mirrored.
        stretch: float ``[2]``, pixels of the sample that are one of those, across and down.
        shift: float ``[2]``, in pixels of the sample.
    """

    linear: Array
    stretch: Array
    shift: Array

    @classmethod
    def around(cls, box: Array, linear: Array, size: Size, context: float) -> View:
        """Return the view of a box and the context around it.

        Args:
            box: float ``[4]``, ``x1 y1 x2 y2`` in pixels of the photo, turned and mirrored as ``linear`` does.
            linear: as :attr:`linear`.
            size: (height, width) of the sample.
            context: side of what is shown as a multiple of the box's.
        """
        stretch = np.array(size[::-1]) / ((box[2:] - box[:2]) * context)
        return cls(linear, stretch, np.array(size[::-1]) / 2 - stretch * (box[:2] + box[2:]) / 2)

    def place(self, boxes: Array) -> Array:
        """Return boxes, ``[..., 4]`` in pixels of the turned photo, in pixels of the sample."""
        return boxes * np.tile(self.stretch, 2) + np.tile(self.shift, 2)

    def sample(self, pixels: Pixels, labels: Pixels, size: Size) -> tuple[Pixels, Pixels]:
        """Return what of a crop a sample of (height, width) ``size`` shows, of the same types; 0 outside the crop."""
        seen = cv2.warpAffine(labels, self._between_centres(1), size[::-1], flags=cv2.INTER_NEAREST)
        finer = 2 if np.abs(np.linalg.det(self.linear)) * self.stretch.prod() < FINEST**2 else 1
        large = cv2.warpAffine(pixels, self._between_centres(finer), (size[1] * finer, size[0] * finer))
        small = large if finer == 1 else cv2.resize(large, size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8), np.asarray(seen, dtype=np.uint8)

    def _between_centres(self, finer: int) -> Array:
        """Return the map, float ``[2, 3]``, between pixel centres, where OpenCV has whole numbers.

        Args:
            finer: pixels along a side that are one of the sample.
        """
        linear = self.linear * (self.stretch * finer)[:, None]
        return np.column_stack([linear, self.shift * finer + linear.sum(axis=1) / 2 - 0.5])


def turned(boxes: Array, linear: Array, round_ones: bool = True) -> Array:
    """Return the boxes around what is in boxes once it is mapped by ``linear``.

    Args:
        boxes: float ``[n, 4]``.
        linear: float ``[2, 2]``.
        round_ones: what is in a box fills the ellipse in it, as people rather do; else its corners too.
    """
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T, (boxes[:, 2:] - boxes[:, :2]) / 2
    sides = linear * half[:, None, :]
    reach = np.linalg.norm(sides, axis=2) if round_ones else np.abs(sides).sum(axis=2)
    return np.concatenate([middle - reach, middle + reach], axis=1)


def turned_bounds(labels: Pixels, linear: Array) -> Array:
    """Return the tightest box around the target of uint8 ``[H, W]``, which there must be, once it is mapped."""
    outlines, _ = cv2.findContours(np.equal(labels, TARGET).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    centres = (np.concatenate(outlines)[:, 0] + 0.5) @ linear.T
    half = np.abs(linear).sum(axis=1) / 2
    return np.asarray(np.concatenate([centres.min(axis=0) - half, centres.max(axis=0) + half]))


def other_boxes(own: Array, others: Array) -> Array:
    """Return those of boxes ``[n, 4]`` that are other people than ``own`` ``[4]``; a near-duplicate is the same one.

    The same as :func:`hiseg_training.models.roi.other_people`, which the model's graph has.
    """
    shared = np.maximum(np.minimum(own[2:], others[:, 2:]) - np.maximum(own[:2], others[:, :2]), 0).prod(axis=1)
    areas = (own[2:] - own[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(others[shared < SAME_PERSON_IOU * (areas - shared)])


def box_maps(own: Array, others: Array, size: Size) -> Pixels:
    """Draw ``own`` ``[4]`` and ``others`` ``[n, 4]``, in pixels of the sample, into two maps: uint8 0/1 ``[2, h, w]``.

    A pixel is inside a box if its centre is, as in :func:`hiseg_training.models.roi.box_channels`.
    """
    maps = np.zeros((2, *size), dtype=np.uint8)
    boxes = np.concatenate([own[None], others])
    edges = np.clip(np.ceil(boxes - 0.5), 0, np.tile(size[::-1], 2)).astype(int).tolist()
    for index, (x1, y1, x2, y2) in enumerate(edges):
        maps[min(index, 1), y1:y2, x1:x2] = 1
    return maps
