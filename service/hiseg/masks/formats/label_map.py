"""One picture that says for each pixel whose it is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask


def label_map(masks: Sequence[CropMask], width: int, height: int) -> Pixels:
    """Labels uint8 ``[height, width]``: 0 nobody, k the k-th mask (from 1).

    A pixel has room for one label only: where masks overlap, the smaller one is in front.

    Raises:
        ValueError: more than 255 masks.
    """
    if len(masks) > 255:
        raise ValueError(f"a label map has room for 255 masks, not {len(masks)}")
    labels = np.zeros((height, width), dtype=np.uint8)
    for index in sorted(range(len(masks)), key=lambda k: -masks[k].area):
        mask = masks[index]
        rows, columns = mask.pixels.shape
        labels[mask.top : mask.top + rows, mask.left : mask.left + columns][mask.pixels] = index + 1
    return labels


def encode_png(pixels: Pixels) -> bytes:
    """PNG of grey ``[H, W]``, RGB ``[H, W, 3]`` or RGBA ``[H, W, 4]`` uint8 pixels."""
    if pixels.ndim == 3:
        order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = np.asarray(cv2.cvtColor(pixels, order), dtype=np.uint8)
    written, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert written
    return data.tobytes()
