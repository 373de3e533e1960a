"""Intersection over union: of masks, of their outlines, and of labels at the resolution of a model's masks."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.box import Box
from hiseg.core.canvas import Size
from hiseg.core.image import BoolMask, Pixels

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


def label_grid(region: Box, target: BoolMask, anybody: BoolMask, size: Size) -> Pixels:
    """What a model should say about a region: uint8 ``size`` of 0 nobody, 1 the target, 2 other people.

    Each cell has the label of the pixel under its centre; beyond the image is nobody.

    Args:
        region: not empty.
        target: bool ``[H, W]``, the person's pixels.
        anybody: bool ``[H, W]``, all people's pixels.
        size: (height, width) of the masks.
    """
    y = np.floor(region.y1 + (np.arange(size[0]) + 0.5) * (region.y2 - region.y1) / size[0]).astype(int)
    x = np.floor(region.x1 + (np.arange(size[1]) + 0.5) * (region.x2 - region.x1) / size[1]).astype(int)
    height, width = target.shape
    inside = np.logical_and.outer((y >= 0) & (y < height), (x >= 0) & (x < width))
    cells = np.ix_(y.clip(0, height - 1), x.clip(0, width - 1))
    return np.where(inside & target[cells], 1, np.where(inside & anybody[cells], 2, 0)).astype(np.uint8)


def covered_share(box: Box, others: list[Box]) -> float:
    """Share of the box that other boxes cover, to the pixel."""
    height, width = round(box.y2 - box.y1), round(box.x2 - box.x1)
    grid = np.zeros((max(1, height), max(1, width)), dtype=np.bool_)
    for other in others:
        x1, y1, x2, y2 = (
            max(0, round(v)) for v in (other.x1 - box.x1, other.y1 - box.y1, other.x2 - box.x1, other.y2 - box.y1)
        )
        grid[y1:y2, x1:x2] = True
    return float(grid.mean())
