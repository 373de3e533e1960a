"""One grey image that says for each pixel whose it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask

MAX_LABELS = 255
"""Labels that a uint8 pixel has beside 0, which is the background."""


def label_map(masks: Sequence[CropMask], width: int, height: int) -> Pixels:
    """Draw masks into one label map.

    A pixel has room for one label only: where masks overlap, the smaller one is in front.

    Args:
        masks: one per person, lying inside the image.
        width: width of the image in pixels.
        height: height of the image in pixels.

    Returns:
        uint8 ``[height, width]``: 0 is background, k the k-th mask, counted from 1.

    Raises:
        ValueError: there are more masks than labels.
    """
    if len(masks) > MAX_LABELS:
        raise ValueError(f"a label map has room for {MAX_LABELS} masks, not {len(masks)}")
    labels = np.zeros((height, width), dtype=np.uint8)
    for index in sorted(range(len(masks)), key=lambda k: -masks[k].area):
        mask = masks[index]
        labels[mask.region][mask.pixels] = index + 1
    return labels
