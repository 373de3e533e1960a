"""Turns a model's prediction for a photo into masks of the photo's size, with the service's own mask code."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from hiseg.core.image import BoolMask, Floats, Pixels
from hiseg.engines.base import logit_margins
from hiseg.masks.logits import crop_mask, resample
from hiseg_training.inference.batches import PhotoPrediction

SURE = 50.0
"""Log-odds beyond which a probability is 0 or 1 in float32."""


def full_masks(prediction: PhotoPrediction) -> Iterator[tuple[BoolMask, float]]:
    """Yield each person's mask, bool ``[H, W]`` of the photo's size, and score, 0..1, in the boxes' order."""
    height, width = prediction.pixels.shape[:2]
    for margin, region in zip(logit_margins(prediction.masks), prediction.regions, strict=True):
        mask, score = crop_mask(margin, region, width, height)
        whole = np.zeros((height, width), dtype=np.bool_)
        rows, columns = mask.pixels.shape
        whole[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.pixels
        yield whole, score


def foreground(prediction: PhotoPrediction) -> Floats:
    """Return the probability that anybody is there, float32 0..1 ``[H, W]`` of the photo's size.

    It is the model's foreground, or of a model that predicts masks alone, what these say together.
    """
    if prediction.foreground is None:
        return np.asarray(foreground_probability(prediction) / np.float32(255), dtype=np.float32)
    height, width = prediction.pixels.shape[:2]
    return np.asarray(cv2.resize(prediction.foreground, (width, height)), dtype=np.float32)


def foreground_probability(prediction: PhotoPrediction) -> Pixels:
    """Combine the masks of all people into the probability that anybody is there: uint8 ``[H, W]``, 0..255 for 0..1.

    It is at least one half wherever :func:`full_masks` has a person, and 0 outside the regions of the masks.
    """
    height, width = prediction.pixels.shape[:2]
    odds = np.full((height, width), -SURE, dtype=np.float32)
    for inside, region in zip(_anybody_odds(prediction.masks), prediction.regions, strict=True):
        part = region.clipped(width, height)
        left, top, right, bottom = (*map(math.floor, (part.x1, part.y1)), *map(math.ceil, (part.x2, part.y2)))
        seen = odds[top:bottom, left:right]
        np.maximum(seen, resample(inside, region, left, top, right, bottom), out=seen)
    return np.asarray(np.round(255 / (1 + np.exp(-np.clip(odds, -SURE, SURE)))), dtype=np.uint8)


def _anybody_odds(masks: Floats) -> Floats:
    """Return the log-odds of any person against background, float32 ``[n, h, w]``, of ``[n, 3 or 1, h, w]``."""
    if masks.shape[1] == 1:
        return logit_margins(masks)
    return np.asarray(np.logaddexp(masks[:, 1], masks[:, 2]) - masks[:, 0], dtype=np.float32)
