"""The outline of a mask as polygons along the edges of its pixels, with holes, and what simplifying them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiseg.core.image import BoolMask
from hiseg.core.job import DEFAULT_TOLERANCE_PX
from hiseg.core.result import CropMask

Ring = npt.NDArray[np.int32]
"""int32 ``[P, 2]``: x and y of corners of pixels; the last is joined to the first."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """One part of a mask: what is inside ``outer``, but not inside any of ``holes``.

    Rings may touch themselves and each other at corners.
    """

    outer: Ring
    holes: tuple[Ring, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A mask as polygons.

    Attributes:
        polygons: parts of the mask, in the image's pixels; (0, 0) is the top left corner of the top left pixel.
        iou: intersection over union of what they enclose with the mask itself, 0..1; pixels whose centres are
            inside count as enclosed.
    """

    polygons: tuple[Polygon, ...]
    iou: float


def outline(mask: CropMask, tolerance_px: float = DEFAULT_TOLERANCE_PX) -> Outline:
    """Trace the polygons of a mask.

    Args:
        mask: a crop of the image; an empty mask has no polygons.
        tolerance_px: corners may be left out as long as the line stays that near to them, by the algorithm of Ramer,
            Douglas and Peucker. A ring of which nothing would remain is kept as it is. With 0 all corners are kept,
            and the IoU is 1.
    """
    rings, parents = _rings(mask.pixels)
    if tolerance_px:
        exact, rings = rings, [_simplified(ring, tolerance_px) for ring in rings]
        iou = _iou(rasterise(rings, *mask.pixels.shape), mask.pixels) if exact else 1.0
    else:
        iou = 1.0
    offset = np.array([mask.left, mask.top], dtype=np.int32)
    holes: dict[int, list[Ring]] = {number: [] for number, parent in enumerate(parents) if parent < 0}
    for ring, parent in zip(rings, parents, strict=True):
        if parent >= 0:
            holes[parent].append(ring + offset)
    polygons = tuple(Polygon(rings[outer] + offset, tuple(inner)) for outer, inner in holes.items())
    return Outline(polygons, iou)


def rasterise(rings: Sequence[Ring], rows: int, columns: int) -> BoolMask:
    """Fill rings by the even-odd rule.

    Args:
        rings: at least one; each int32 ``[P, 2]``, x and y from 0 to ``columns`` and ``rows``.
        rows: height of the result in pixels.
        columns: width of the result in pixels.

    Returns:
        bool ``[rows, columns]``: the pixels whose centres an odd number of rings go around.
    """
    flips = np.zeros((rows, columns + 1), dtype=np.uint8)
    starts = np.concatenate(rings).astype(np.int64)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings]).astype(np.int64)
    heights = np.abs(ends[:, 1] - starts[:, 1])
    # One entry for each edge and each row of pixels whose centres it passes.
    x0, y0, x1, y1 = (np.repeat(side, heights) for side in (*starts.T, *ends.T))
    first = np.repeat(np.cumsum(heights) - heights, heights)
    row = np.minimum(y0, y1) + np.arange(len(y0)) - first
    crossing = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    column = np.ceil(crossing - 0.5).astype(np.int64)
    np.bitwise_xor.at(flips.reshape(-1), row * (columns + 1) + column, 1)
    return np.bitwise_xor.accumulate(flips, axis=1)[:, :columns].view(np.bool_)


def _rings(pixels: BoolMask) -> tuple[list[Ring], list[int]]:
    """All rings along the edges of bool ``[h, w]`` pixels, and of each the ring around it; -1 for outer rings."""
    if not pixels.any():
        return [], []
    import cv2  # not at the top: who wants no polygons needs no OpenCV

    # OpenCV follows the centres of border pixels. In twice the size these lie a quarter of a pixel inside the edges,
    # and each rounds to the corner that it is next to.
    doubled = cv2.resize(pixels.view(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [_corners(np.asarray(contour[:, 0], dtype=np.int32)) for contour in contours]
    return rings, [int(parent) for parent in hierarchy[0, :, 3]]


def _corners(contour: Ring) -> Ring:
    """Corners int32 ``[P, 2]`` of a contour that was found at twice the size, without points on straight lines."""
    ring = (contour + 1) // 2
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return np.asarray(ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]], dtype=np.int32)


def _simplified(ring: Ring, tolerance_px: float) -> Ring:
    """The ring with fewer corners, or the ring itself if fewer than three would remain."""
    import cv2

    fewer = np.asarray(cv2.approxPolyDP(ring[:, None], tolerance_px, closed=True)[:, 0], dtype=np.int32)
    return fewer if len(fewer) > 2 else ring


def _iou(found: BoolMask, expected: BoolMask) -> float:
    """Intersection over union of two masks of the same shape; 0 if both are empty."""
    return int(np.count_nonzero(found & expected)) / max(1, int(np.count_nonzero(found | expected)))
