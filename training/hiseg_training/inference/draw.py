"""People drawn on a photo that stays as bright as it is: a tint with smooth edges and an outline for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats, Pixels
from hiseg.engines.base import logit_margins
from hiseg.masks.formats.overlay import colour
from hiseg.masks.logits import log_odds, resample

GREEN = (0, 200, 80)
FAR = 50.0
"""Pixels; further from an outline nothing changes."""


class SoftMask(NamedTuple):
    """A person in the photo, to fractions of pixels.

    Attributes:
        left: column of the first pixel.
        top: row of it.
        distance: float32 ``[h, w]``, pixels to the outline, about; positive inside.
        probability: float32 ``[h, w]``, of the target.
    """

    left: int
    top: int
    distance: Floats
    probability: Floats

    def on_photo(self, part: Floats, width: int, height: int) -> Floats:
        """An array of the person's crop in one of the photo's size, 0 elsewhere."""
        whole = np.zeros((height, width), dtype=np.float32)
        rows, columns = part.shape
        whole[self.top : self.top + rows, self.left : self.left + columns] = part
        return whole


def soft_masks(masks: Floats, boxes: Sequence[Box], width: int, height: int, threshold: float) -> list[SoftMask]:
    """Each person at the photo's resolution.

    A pixel is the person's where its likeliest class is the target, and the target's probability is over the threshold.

    Args:
        masks: float32 ``[n, 3, h, w]`` logits or ``[n, 1, h, w]`` 0/1.
        boxes: one a mask, what it covers; it may leave the photo.
        threshold: 0 (none) to 1.
    """
    return [
        _soft(margin, target, box, width, height, threshold)
        for margin, target, box in zip(logit_margins(masks), target_probability(masks), boxes, strict=True)
    ]


def target_probability(masks: Floats) -> Floats:
    """float32 ``[n, h, w]`` of the target among all three classes; 0/1 masks are theirs already."""
    if masks.shape[1] == 1:
        return np.asarray(masks[:, 0], dtype=np.float32)
    powers = np.exp(masks - masks.max(axis=1, keepdims=True))
    return np.asarray(powers[:, 1] / powers.sum(axis=1), dtype=np.float32)


def _soft(margin: Floats, target: Floats, box: Box, width: int, height: int, threshold: float) -> SoftMask:
    least = float(log_odds(np.array(threshold, dtype=np.float32)))
    # Both conditions are "above 0", so the smaller of the two decides.
    decided = np.minimum(margin, log_odds(target) - least)
    left, top = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    right, bottom = min(width, math.ceil(box.x2)), min(height, math.ceil(box.y2))
    drawn = resample(decided, box, left, top, right, bottom)
    slope = np.hypot(cv2.Sobel(drawn, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(drawn, cv2.CV_32F, 0, 1, scale=1 / 8))
    distance = np.clip(drawn / np.maximum(slope, np.abs(drawn) / FAR + 1e-6), -FAR, FAR)
    return SoftMask(left, top, distance, resample(target, box, left, top, right, bottom))


def draw_people(pixels: Pixels, people: Sequence[SoftMask], alpha: float) -> Pixels:
    """A copy of RGB uint8 ``[H, W, 3]`` with people on it, smaller ones in front, coloured in their order.

    Args:
        alpha: how much of the tint covers the photo, 0..1.
    """
    drawn = pixels.astype(np.float32)
    line = max(1.0, max(pixels.shape[:2]) / 500)
    for index in sorted(range(len(people)), key=lambda k: -int(np.count_nonzero(people[k].distance > 0))):
        person = people[index]
        rows, columns = person.distance.shape
        region = drawn[person.top : person.top + rows, person.left : person.left + columns]
        inside = np.clip(person.distance + 0.5, 0, 1)
        outline = np.clip(line / 2 + 0.5 - np.abs(person.distance - line / 2), 0, 1)
        weight = np.maximum(inside * alpha, outline)[:, :, None]
        region[:] = region * (1 - weight) + np.array(colour(index), dtype=np.float32) * weight
    return np.asarray(np.round(drawn), dtype=np.uint8)


def draw_foreground(pixels: Pixels, probability: Floats, alpha: float) -> Pixels:
    """A copy of RGB uint8 ``[H, W, 3]`` in green where anybody is, the more so the likelier.

    Args:
        probability: float32 ``[H, W]``.
        alpha: how much of the tint covers the photo where it is certain.
    """
    weight = alpha * probability[:, :, None]
    return np.asarray(np.round(pixels * (1 - weight) + np.array(GREEN) * weight), dtype=np.uint8)
