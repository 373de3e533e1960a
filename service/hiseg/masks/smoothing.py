"""Smooths the model's output for one person, at the model's own resolution.

Noise in the output is as coarse as its cells, so it is taken out there: the effect, and the cost, are the same for a
person of any size in the image.
"""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.image import Floats
from hiseg.core.job import Smoothing
from hiseg.masks.logits import log_odds

LAPLACIAN = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=np.float32)
BINOMIAL = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
SLOPE, MIN_SHARE = 1.5, 0.25
"""The weight of the blurred probabilities is ``SLOPE`` times the steepness plus ``MIN_SHARE``: a quarter where all is
flat, and all of it from a step of half the range on."""
DIAMETER, RANGE_SIGMA, SPACE_SIGMA = 5, 0.1, 1.0
"""Parameters of the bilateral filter, in cells, probability and cells."""


def smooth(logit_margin: Floats, smoothing: Smoothing) -> Floats:
    """Reduce the noise of a map of log-odds.

    ``edge`` replaces probabilities by a blurred version of themselves, the more so the steeper they are: ragged
    outlines become even, thin tips a little shorter. ``bilateral`` averages each only with neighbours of about the
    same probability: soft outlines become even, sharp ones stay where they are.

    Args:
        logit_margin: float32 ``[mh, mw]``, log-odds of "this pixel is the person".
        smoothing: the filter; ``none`` returns the map as it is.

    Returns:
        float32 ``[mh, mw]``, log-odds.
    """
    if smoothing is Smoothing.NONE:
        return logit_margin
    probability = np.asarray(1.0 / (1.0 + cv2.exp(-logit_margin)), dtype=np.float32)
    # At the map's edge the image goes on: what lies beyond is taken to be what is at the edge, not background.
    if smoothing is Smoothing.BILATERAL:
        border = cv2.BORDER_REPLICATE
        return log_odds(
            np.asarray(cv2.bilateralFilter(probability, DIAMETER, RANGE_SIGMA, SPACE_SIGMA, borderType=border))
        )
    steepness = np.abs(cv2.filter2D(probability, -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE))
    blurred = cv2.sepFilter2D(probability, -1, BINOMIAL, BINOMIAL, borderType=cv2.BORDER_REPLICATE)
    share = np.minimum(SLOPE * steepness + MIN_SHARE, 1.0)
    return log_odds(np.asarray(probability + (blurred - probability) * share))
