"""A model's answer about a photo as whole masks, through the mask code of the service."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from service.domain import BoolMask
from service.engines.base import margins
from service.masks.crop import crop_mask
from training.inference.batches import Answer


def person_masks(answer: Answer) -> Iterator[tuple[BoolMask, float]]:
    """Mask, bool ``[H, W]`` of the photo's size, and the service's score of each person, in the boxes' order."""
    height, width = answer.pixels.shape[:2]
    for margin, box in zip(margins(answer.masks), answer.boxes, strict=True):
        mask, score = crop_mask(margin, box, width, height)
        whole = np.zeros((height, width), dtype=np.bool_)
        rows, columns = mask.pixels.shape
        whole[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.pixels
        yield whole, score
