"""Intersection over union: of masks, of their outlines, and of labels at the resolution of a model's masks."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from service.canvas import Size
from service.domain import BoolMask, Box, Pixels

BOUNDARY_SHARE = 0.02
"""Width of an outline as a share of the image's diagonal (Cheng et al., 2021, arXiv:2103.16562)."""
Labels = npt.NDArray[np.int64] | Pixels


def iou(a: BoolMask, b: BoolMask) -> float:
    """Intersection over union of two bool arrays; 1 if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def boundary_iou(a: BoolMask, b: BoolMask) -> float:
    """IoU of two masks' outlines: of their pixels within 2 % of the diagonal of what isn't theirs.

    The image's border is the end of every mask. 1 if both are empty.

    Args:
        a: bool ``[H, W]``, of the whole image.
        b: the same.
    """
    width = max(1, round(BOUNDARY_SHARE * math.hypot(*a.shape)))
    return iou(outline(a, width), outline(b, width))


def outline(mask: BoolMask, width: int) -> BoolMask:
    """The mask's pixels that have one outside the mask, or the image's end, at most ``width`` rows and columns away."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    whole = mask.astype(np.uint8)
    inner = cv2.erode(whole, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inner == 0)


def labels_in(box: Box, target: BoolMask, anybody: BoolMask, size: Size) -> Pixels:
    """What a model should say about a box: uint8 ``size`` of 0 nobody, 1 the target, 2 other people.

    Each cell has the label of the pixel under its centre.

    Args:
        box: inside the image, not empty.
        target: bool ``[H, W]``, the person's pixels.
        anybody: bool ``[H, W]``, all people's pixels.
        size: (height, width) of the masks.
    """
    rows = (box.y1 + (np.arange(size[0]) + 0.5) * (box.y2 - box.y1) / size[0]).astype(int)
    columns = (box.x1 + (np.arange(size[1]) + 0.5) * (box.x2 - box.x1) / size[1]).astype(int)
    cells = np.ix_(rows, columns)
    return np.where(target[cells], 1, np.where(anybody[cells], 2, 0)).astype(np.uint8)


def covered(box: Box, others: list[Box]) -> float:
    """Share of the box that other boxes cover, to the pixel."""
    height, width = round(box.y2 - box.y1), round(box.x2 - box.x1)
    grid = np.zeros((max(1, height), max(1, width)), dtype=np.bool_)
    for other in others:
        x1, y1, x2, y2 = (
            max(0, round(v)) for v in (other.x1 - box.x1, other.y1 - box.y1, other.x2 - box.x1, other.y2 - box.y1)
        )
        grid[y1:y2, x1:x2] = True
    return float(grid.mean())
