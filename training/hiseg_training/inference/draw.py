"""Draws masks on a photo without darkening it: a tint with smooth edges and an outline for each person."""

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
"""Largest distance to an outline, in pixels: further away nothing changes."""


class SoftMask(NamedTuple):
    """A person's mask with subpixel edges, as a crop of the photo.

    Attributes:
        left: column of the crop's first pixel in the photo.
        top: row of the crop's first pixel in the photo.
        distance: float32 ``[h, w]``, approximate pixels to the outline; positive inside.
        probability: float32 ``[h, w]``, of the person, 0..1.
    """

    left: int
    top: int
    distance: Floats
    probability: Floats

    def on_photo(self, part: Floats, width: int, height: int) -> Floats:
        """Place the crop's array, float32 ``[h, w]``, into one of the photo's size ``[height, width]``, else 0."""
        whole = np.zeros((height, width), dtype=np.float32)
        rows, columns = part.shape
        whole[self.top : self.top + rows, self.left : self.left + columns] = part
        return whole


def soft_masks(masks: Floats, boxes: Sequence[Box], width: int, height: int, threshold: float) -> list[SoftMask]:
    """Draw each person's mask at the photo's resolution.

    A pixel is the person's if its likeliest class is the target and the target's probability is above the threshold.

    Args:
        masks: float32 ``[n, 3, h, w]`` logits or ``[n, 1, h, w]`` 0/1.
        boxes: the region that each mask covers, in pixels; it may extend beyond the photo.
        width: of the photo, in pixels.
        height: of the photo, in pixels.
        threshold: 0 (none) to 1.
    """
    return [
        _soft(margin, target, box, width, height, threshold)
        for margin, target, box in zip(logit_margins(masks), target_probability(masks), boxes, strict=True)
    ]


def target_probability(masks: Floats) -> Floats:
    """Return the probability of the target among all classes, float32 ``[n, h, w]``; 0/1 masks are returned as such.

    Args:
        masks: float32 ``[n, 3, h, w]`` logits or ``[n, 1, h, w]`` 0/1.
    """
    if masks.shape[1] == 1:
        return np.asarray(masks[:, 0], dtype=np.float32)
    powers = np.exp(masks - masks.max(axis=1, keepdims=True))
    return np.asarray(powers[:, 1] / powers.sum(axis=1), dtype=np.float32)


def _soft(margin: Floats, target: Floats, box: Box, width: int, height: int, threshold: float) -> SoftMask:
    """Draw one mask from its logit margin and target probability, both float32 ``[h, w]``."""
    least = float(log_odds(np.array(threshold, dtype=np.float32)))
    # Both conditions are "above 0", so the smaller of the two decides.
    decided = np.minimum(margin, log_odds(target) - least)
    left, top = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    right, bottom = min(width, math.ceil(box.x2)), min(height, math.ceil(box.y2))
    drawn = resample(decided, box, left, top, right, bottom)
    slope = np.hypot(cv2.Sobel(drawn, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(drawn, cv2.CV_32F, 0, 1, scale=1 / 8))
    distance = np.asarray(np.clip(drawn / np.maximum(slope, np.abs(drawn) / FAR + 1e-6), -FAR, FAR), dtype=np.float32)
    return SoftMask(left, top, distance, resample(target, box, left, top, right, bottom))


def draw_people(pixels: Pixels, people: Sequence[SoftMask], alpha: float) -> Pixels:
    """Return a copy of a photo with people drawn on it, smaller ones in front, coloured in their order.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``.
        people: their masks.
        alpha: opacity of the tint, 0..1.
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
    """Return a copy of a photo tinted green in proportion to the foreground probability.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``.
        probability: float32 ``[H, W]``, 0..1.
        alpha: opacity of the tint where the probability is 1.
    """
    weight = alpha * probability[:, :, None]
    return np.asarray(np.round(pixels * (1 - weight) + np.array(GREEN) * weight), dtype=np.uint8)
