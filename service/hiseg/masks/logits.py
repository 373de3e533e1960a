"""Model output -> the pixels of one person, made at the size of what the model saw of it and nowhere larger."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats
from hiseg.core.result import CropMask


def log_odds(probability: Floats) -> Floats:
    """Probabilities -> finite log-odds, elementwise."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float32)


def crop_mask(margin: Floats, box: Box, width: int, height: int, threshold: float = 0.5) -> tuple[CropMask, float]:
    """Draw a margin map into the box that it covers.

    Args:
        margin: float32 ``[mh, mw]``, log-odds of "this pixel is the person"; its edges are the box's edges.
        box: where it lies, in image pixels, fractions included; not empty.
        width: image width; pixels beyond the image are cut off.
        height: image height.
        threshold: probability in (0, 1) above which a pixel belongs to the mask.

    Returns:
        The mask, and its score: the mean probability over the cells of ``margin`` that passed (0 if the mask
        is empty).
    """
    left, top = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    right, bottom = min(width, math.ceil(box.x2)), min(height, math.ceil(box.y2))
    if box.as_tuple() == (left, top, right, bottom):
        # A fifth of the time, but it knows no fractions of pixels; the box of binary mode has none.
        drawn = cv2.resize(margin, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    else:
        drawn = draw_margin(margin, box, left, top, right, bottom)
    least = math.log(threshold / (1.0 - threshold))
    mask = CropMask(left, top, np.asarray(drawn > least))
    passed = margin[margin > least]
    score = float(np.sum(1.0 / (1.0 + cv2.exp(-passed))) / passed.size) if passed.size and mask.pixels.any() else 0.0
    return mask, score


def draw_margin(margin: Floats, box: Box, left: int, top: int, right: int, bottom: int) -> Floats:
    """A margin map at the image's resolution, in any part of the image.

    Args:
        margin: float32 ``[mh, mw]``; its edges are the box's edges.
        box: where it lies, in image pixels; not empty.
        left: first column that is wanted.
        top: first row.
        right: last column + 1.
        bottom: last row + 1.

    Returns:
        float32 ``[bottom - top, right - left]``, bilinear; outside the box what is at its edge.
    """
    sx = margin.shape[1] / (box.x2 - box.x1)
    sy = margin.shape[0] / (box.y2 - box.y1)
    # Image pixel centres -> margin pixel centres; OpenCV puts the centre of pixel i at i, hence the halves.
    to_margin = np.array(
        [
            [sx, 0.0, (left + 0.5 - box.x1) * sx - 0.5],
            [0.0, sy, (top + 0.5 - box.y1) * sy - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(margin, to_margin, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.float32)
