"""The picture with its masks drawn: a tint, an outline, the box and a number, one colour a person.

The one place where people are drawn: the service's ``overlay``, ``hiseg run``, ``hiseg video`` and the client have it
from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask, Instance
from hiseg.masks.formats.palette import Rgb, colour, is_light

OPACITY = 0.45
FONT = cv2.FONT_HERSHEY_SIMPLEX
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Pen:
    """Widths that look alike on pictures of any size.

    Attributes:
        line: of outlines, pixels; boxes have half of it.
        letters: height of digits, pixels.
    """

    line: int
    letters: int

    @classmethod
    def for_picture(cls, pixels: Pixels) -> Pen:
        longest = max(pixels.shape[:2])
        return cls(max(1, round(longest / 500)), max(8, round(longest / 90)))


def overlay(pixels: Pixels, instances: Sequence[Instance]) -> Pixels:
    """A copy of RGB uint8 ``[H, W, 3]`` pixels with instances drawn on it.

    Smaller masks lie over larger ones, as in a label map. Several people are numbered in their order, from 1.
    """
    drawn = pixels.copy()
    pen = Pen.for_picture(pixels)
    for index in sorted(range(len(instances)), key=lambda k: -instances[k].area):
        _tint(drawn, instances[index].mask, colour(index), pen)
    for index, instance in enumerate(instances):
        x1, y1, x2, y2 = (round(v) for v in instance.box.as_tuple())
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), colour(index), max(1, pen.line // 2))
    if len(instances) > 1:
        for index, instance in enumerate(instances):
            if not instance.box.is_empty:
                _number(drawn, index, round(instance.box.x1), round(instance.box.y1), pen)
    return drawn


def _tint(drawn: Pixels, mask: CropMask, rgb: Rgb, pen: Pen) -> None:
    if not mask.pixels.any():
        return
    rows, columns = mask.pixels.shape
    region = drawn[mask.top : mask.top + rows, mask.left : mask.left + columns]
    person = mask.pixels.view(np.uint8)
    flat = np.full_like(region, rgb)
    tinted = cv2.addWeighted(region, 1 - OPACITY, flat, OPACITY, 0)
    np.copyto(region, tinted, where=mask.pixels[:, :, None])
    outlines, _ = cv2.findContours(person, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outlines, -1, rgb, pen.line, offset=(mask.left, mask.top))


def _number(drawn: Pixels, index: int, left: int, top: int, pen: Pen) -> None:
    """The person's number on a patch of their colour: on top of the box, or in its corner where there is no room."""
    text, rgb = str(index + 1), colour(index)
    thickness = max(1, round(pen.letters / 9))
    scale = cv2.getFontScaleFromHeight(FONT, pen.letters, thickness)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, thickness)
    gap = max(2, pen.letters // 4)
    top -= height + 2 * gap if top >= height + 2 * gap else 0
    cv2.rectangle(drawn, (left, top), (left + width + 2 * gap, top + height + 2 * gap), rgb, cv2.FILLED)
    ink = BLACK if is_light(rgb) else WHITE
    cv2.putText(drawn, text, (left + gap, top + gap + height), FONT, scale, ink, thickness, cv2.LINE_AA)
