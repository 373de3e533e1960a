"""The picture with its masks drawn: a tint, an outline and the box, one colour a person."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from service.domain import Instance, Pixels

OPACITY = 0.45
GOLDEN_RATIO = 0.61803398875
# Okabe & Ito, "Color Universal Design" (2008): told apart with any kind of colour vision.
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))


def colour(index: int) -> tuple[int, int, int]:
    """RGB of the ``index``-th person; hues a golden angle apart after the palette is used up."""
    if index < len(PALETTE):
        return PALETTE[index]
    red, green, blue = colorsys.hsv_to_rgb((index * GOLDEN_RATIO) % 1.0, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def overlay(pixels: Pixels, instances: Sequence[Instance]) -> Pixels:
    """A copy of RGB uint8 ``[H, W, 3]`` pixels with instances drawn on it; only the crops are touched."""
    drawn = pixels.copy()
    thickness = max(1, round(max(pixels.shape[:2]) / 500))
    for index, instance in enumerate(instances):
        mask, rgb = instance.mask, colour(index)
        rows, columns = mask.pixels.shape
        if mask.area:
            region = drawn[mask.top : mask.top + rows, mask.left : mask.left + columns]
            tinted = region[mask.pixels] * (1 - OPACITY) + np.array(rgb) * OPACITY
            region[mask.pixels] = tinted.astype(np.uint8)
            outlines, _ = cv2.findContours(mask.pixels.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, outlines, -1, rgb, thickness, offset=(mask.left, mask.top))
        x1, y1, x2, y2 = (round(v) for v in instance.box.as_tuple())
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), rgb, thickness)
    return drawn
