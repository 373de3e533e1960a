"""Evens out what the model is unsure of, on one person's crop as the model sees it.

Noise of the model's answer is as coarse as its cells, so it is taken out there: the effect is the same for a person of
any size in the picture, and costs the same.
"""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.image import Floats
from hiseg.core.job import Smoothing
from hiseg.masks.logits import log_odds

LAPLACIAN = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=np.float32)
BINOMIAL = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
SLOPE, LEAST_SHARE = 1.5, 0.25
"""Of the blurred in the blend: a quarter where all is flat, and all of it from an edge of half the range on."""
DIAMETER, RANGE_SIGMA, SPACE_SIGMA = 5, 0.1, 1.0
"""Of the bilateral filter: cells, probability, cells."""


def smooth(margin: Floats, how: Smoothing) -> Floats:
    """A margin map with less noise in it.

    ``edge`` replaces probabilities by a blurred version of themselves, the more so the steeper they are: ragged
    outlines become even, thin tips a little shorter. ``bilateral`` averages each only with neighbours of about the
    same probability: soft outlines become even, sharp ones stay where they are.

    Args:
        margin: float32 ``[mh, mw]``, log-odds.
        how: nothing is done for ``none``.

    Returns:
        float32 ``[mh, mw]``, log-odds.
    """
    if how is Smoothing.NONE:
        return margin
    probability = np.asarray(1.0 / (1.0 + cv2.exp(-margin)), dtype=np.float32)
    # At the map's edge the picture goes on: what lies beyond is taken to be what is there, not nobody.
    if how is Smoothing.BILATERAL:
        border = cv2.BORDER_REPLICATE
        return log_odds(
            np.asarray(cv2.bilateralFilter(probability, DIAMETER, RANGE_SIGMA, SPACE_SIGMA, borderType=border))
        )
    steepness = np.abs(cv2.filter2D(probability, -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE))
    blurred = cv2.sepFilter2D(probability, -1, BINOMIAL, BINOMIAL, borderType=cv2.BORDER_REPLICATE)
    share = np.minimum(SLOPE * steepness + LEAST_SHARE, 1.0)
    return log_odds(np.asarray(probability + (blurred - probability) * share))
