"""Turns logits into the pixels of one person, drawn at the size of the crop that the model saw and nowhere larger."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats
from hiseg.core.result import CropMask


def log_odds(probability: Floats) -> Floats:
    """Convert probabilities to log-odds elementwise; 0 and 1 become about -13.8 and 13.8 instead of infinities.

    Args:
        probability: float32 of any shape, 0..1.

    Returns:
        float32 of the same shape.
    """
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float32)


def crop_mask(
    logit_margin: Floats, box: Box, width: int, height: int, threshold: float = 0.5
) -> tuple[CropMask, float]:
    """Draw a map of log-odds into the box that it covers, and threshold it.

    Args:
        logit_margin: float32 ``[mh, mw]``, log-odds of "this pixel is the person"; its edges are the box's edges.
        box: what the map covers, in image pixels, fractions included; not empty.
        width: width of the image in pixels; what lies beyond the image is cut off.
        height: height of the image in pixels.
        threshold: probability in (0, 1) above which a pixel belongs to the mask.

    Returns:
        The mask, and its score: the mean probability over the cells of the map above the threshold, 0 if the mask is
        empty.
    """
    left, top = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    right, bottom = min(width, math.ceil(box.x2)), min(height, math.ceil(box.y2))
    if box.as_tuple() == (left, top, right, bottom):
        # A fifth of the time, but it knows no fractions of pixels; the box of binary mode has none.
        drawn = cv2.resize(logit_margin, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    else:
        drawn = resample(logit_margin, box, left, top, right, bottom)
    min_log_odds = math.log(threshold / (1.0 - threshold))
    mask = CropMask(left, top, np.asarray(drawn > min_log_odds))
    above = logit_margin[logit_margin > min_log_odds]
    score = float(np.sum(1.0 / (1.0 + cv2.exp(-above))) / above.size) if above.size and mask.pixels.any() else 0.0
    return mask, score


def resample(logit_margin: Floats, box: Box, left: int, top: int, right: int, bottom: int) -> Floats:
    """Sample a map of log-odds at the image's resolution, in any part of the image.

    Args:
        logit_margin: float32 ``[mh, mw]``; its edges are the box's edges.
        box: what the map covers, in image pixels; not empty.
        left: first column of the part.
        top: first row of the part.
        right: last column of the part + 1.
        bottom: last row of the part + 1.

    Returns:
        float32 ``[bottom - top, right - left]``, interpolated bilinearly; outside the box the values at its edge.
    """
    sx = logit_margin.shape[1] / (box.x2 - box.x1)
    sy = logit_margin.shape[0] / (box.y2 - box.y1)
    # Image pixel centres -> map cell centres; OpenCV puts the centre of pixel i at i, hence the halves.
    to_map = np.array(
        [
            [sx, 0.0, (left + 0.5 - box.x1) * sx - 0.5],
            [0.0, sy, (top + 0.5 - box.y1) * sy - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(logit_margin, to_map, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.float32)
