"""A model's answer about a photo as whole masks, through the mask code of the service."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hiseg.core.image import BoolMask, Floats, Pixels
from hiseg.engines.base import logit_margins
from hiseg.masks.logits import crop_mask, resample
from hiseg_training.inference.batches import PhotoPrediction

SURE = 50.0
"""Log-odds beyond which a probability is 0 or 1 to float32."""


def full_masks(answer: PhotoPrediction) -> Iterator[tuple[BoolMask, float]]:
    """Mask, bool ``[H, W]`` of the photo's size, and the service's score of each person, in the boxes' order."""
    height, width = answer.pixels.shape[:2]
    for margin, region in zip(logit_margins(answer.masks), answer.regions, strict=True):
        mask, score = crop_mask(margin, region, width, height)
        whole = np.zeros((height, width), dtype=np.bool_)
        rows, columns = mask.pixels.shape
        whole[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.pixels
        yield whole, score


def foreground_probability(answer: PhotoPrediction) -> Pixels:
    """Probability that anybody is there, by what the model says in all boxes together: uint8 0..255 ``[H, W]``.

    It is above a half wherever :func:`full_masks` has somebody, and 0 outside what the masks cover.
    """
    height, width = answer.pixels.shape[:2]
    odds = np.full((height, width), -SURE, dtype=np.float32)
    for inside, region in zip(_anybody_odds(answer.masks), answer.regions, strict=True):
        part = region.clipped(width, height)
        left, top, right, bottom = (*map(math.floor, (part.x1, part.y1)), *map(math.ceil, (part.x2, part.y2)))
        seen = odds[top:bottom, left:right]
        np.maximum(seen, resample(inside, region, left, top, right, bottom), out=seen)
    return np.asarray(np.round(255 / (1 + np.exp(-np.clip(odds, -SURE, SURE)))), dtype=np.uint8)


def _anybody_odds(masks: Floats) -> Floats:
    """Log-odds ``[n, h, w]`` of the target or other people against the background."""
    if masks.shape[1] == 1:
        return logit_margins(masks)
    return np.asarray(np.logaddexp(masks[:, 1], masks[:, 2]) - masks[:, 0], dtype=np.float32)
