"""Intersection over union of masks and of their boundaries, and ground truth at the resolution of a model's masks."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.box import Box
from hiseg.core.image import BoolMask, Pixels, Size

BOUNDARY_SHARE = 0.02
"""Width of a boundary as a share of the image's diagonal (Cheng et al., 2021, arXiv:2103.16562)."""
Labels = npt.NDArray[np.int64] | Pixels


def iou(a: BoolMask, b: BoolMask) -> float:
    """Return the intersection over union, 0..1, of two bool arrays of one shape; 1 if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def boundary_iou(a: BoolMask, b: BoolMask) -> float:
    """Return the boundary IoU, 0..1 (Cheng et al., 2021): the IoU of the masks' pixels near their ends.

    Near means within 2 % of the image's diagonal. The image's border ends every mask. 1 if both are empty.

    Args:
        a: bool ``[H, W]``, of the whole image.
        b: bool ``[H, W]``.
    """
    width = max(1, round(BOUNDARY_SHARE * math.hypot(*a.shape)))
    return iou(outline(a, width), outline(b, width))


def outline(mask: BoolMask, width: int) -> BoolMask:
    """Return the mask's boundary: its pixels at most ``width`` rows and columns from its end, or the image's.

    Args:
        mask: bool ``[H, W]``.
        width: of the boundary, in pixels.

    Returns:
        bool ``[H, W]``.
    """
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    whole = mask.astype(np.uint8)
    inner = cv2.erode(whole, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask & (inner == 0))


def label_grid(region: Box, target: BoolMask, anybody: BoolMask, size: Size) -> Pixels:
    """Sample the ground truth of a region: uint8 ``[h, w]`` of 0 background, 1 the target, 2 other people.

    Each cell has the label of the pixel under its centre; beyond the image is background.

    Args:
        region: in image pixels, not empty.
        target: bool ``[H, W]``, the person's pixels.
        anybody: bool ``[H, W]``, all people's pixels.
        size: (h, w) of the model's masks.
    """
    y = np.floor(region.y1 + (np.arange(size[0]) + 0.5) * (region.y2 - region.y1) / size[0]).astype(int)
    x = np.floor(region.x1 + (np.arange(size[1]) + 0.5) * (region.x2 - region.x1) / size[1]).astype(int)
    height, width = target.shape
    inside = np.logical_and.outer((y >= 0) & (y < height), (x >= 0) & (x < width))
    cells = np.ix_(y.clip(0, height - 1), x.clip(0, width - 1))
    return np.where(inside & target[cells], 1, np.where(inside & anybody[cells], 2, 0)).astype(np.uint8)


def covered_share(box: Box, others: list[Box]) -> float:
    """Return the share, 0..1, of a box that other boxes cover, to the pixel."""
    height, width = round(box.y2 - box.y1), round(box.x2 - box.x1)
    grid = np.zeros((max(1, height), max(1, width)), dtype=np.bool_)
    for other in others:
        x1, y1, x2, y2 = (
            max(0, round(v)) for v in (other.x1 - box.x1, other.y1 - box.y1, other.x2 - box.x1, other.y2 - box.y1)
        )
        grid[y1:y2, x1:x2] = True
    return float(grid.mean())
