"""The image with its masks drawn on it: a tint, an outline, the box and a number, in one colour for each person.

This is the one place where people are drawn: the mask format ``overlay``, ``hiseg run``, ``hiseg video`` and the client
have it from here.

The colours are as far apart as so many can be, for eyes of all kinds. The first two are of Okabe and Ito's "Color
Universal Design" (2008). Each further one is, of all sRGB colours in steps of 15 that are neither dark, nor almost
white, nor almost grey (CIELAB L* 40 to 95, chroma over 35), the one that is farthest (CIEDE2000) from its nearest
neighbour among those before it: as seen with normal sight, and without red or green cones (Machado, Oliveira and
Fernandes 2009), whichever is nearest. So the first few are the most distinct. That works for ten: nobody could name
fifty colours, let alone with two kinds of cones. Therefore people are numbered too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask, Instance
from hiseg.core.stop import NEVER, Stop

Rgb = tuple[int, int, int]

_BYTES = bytes.fromhex(
    """
    e69f00 56b4e9 a53c5a 96ffe1 4b4be1 e17887 d21e00 d2ff96 b46996 69f0ff
    0f87ff b40087 4bc3b4 d2784b a5d296 f0e100 b4695a 1e781e ff96b4 e10f78
    b469c3 b4ffc3 b4d269 ffb4e1 c387c3 4b69a5 00b496 a5b469 a54b4b d27800
    00d2d2 3ce1c3 00a5ff d20fa5 5a5aff c35a3c f04b69 87ffff ffb43c b44b3c
    00d2ff d26987 96e1b4 f0874b d2ff69 a55a87 d2e196 0fc396 d278a5 c3001e
    """
)
COLOURS: tuple[Rgb, ...] = tuple(zip(_BYTES[::3], _BYTES[1::3], _BYTES[2::3], strict=True))
PALETTE = tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in COLOURS)
"""The same colours as the web writes them: ``#rrggbb``."""
OPACITY = 0.45
"""Opacity of the tint over a person, 0..1."""
MOST_LENGTH_TO_WIDTH = 10
"""Longer sides count as so many times the shorter one when the sizes of lines are chosen."""
STRIP_ROWS = 256
"""Rows that are tinted at once: it takes six bytes a pixel."""
NAME_LENGTH = 16
"""Characters of a name that are drawn at most."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Mark:
    """How a person is told from others.

    Attributes:
        name: what is written on the box; of a long name the beginning, of an empty one nothing.
        colour: index of its colour, as for :func:`colour`.
    """

    name: str
    colour: int


@dataclass(frozen=True, slots=True)
class LineSizes:
    """Sizes of what is drawn, in pixels, so that it looks alike on images of any size.

    Attributes:
        outline_width: width of outlines; boxes have half of it.
        digit_height: height of digits.
    """

    outline_width: int
    digit_height: int

    @classmethod
    def for_image(cls, pixels: Pixels) -> LineSizes:
        """The sizes that suit an image ``[H, W, 3]``, by its longer side, but at most ten times its shorter one.

        Lines as wide as a whole strip of pixels would also take hours to draw.
        """
        shorter, longer = sorted(pixels.shape[:2])
        longest = min(longer, MOST_LENGTH_TO_WIDTH * shorter)
        return cls(max(1, round(longest / 500)), max(8, round(longest / 90)))


def colour(index: int) -> Rgb:
    """Return red, green and blue of the ``index``-th person, from 0; the fifty-first has the first one's again."""
    return COLOURS[index % len(COLOURS)]


def is_light(rgb: Rgb) -> bool:
    """Whether black is easier to read than white on a colour, by the relative luminance of WCAG 2."""
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb))
    luminance = sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return luminance > 0.179


def overlay(
    pixels: Pixels,
    instances: Sequence[Instance],
    in_place: bool = False,
    stop: Stop = NEVER,
    marks: Sequence[Mark] | None = None,
) -> Pixels:
    """Draw instances on an image.

    Smaller masks lie over larger ones, as in a label map.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``.
        instances: people whose boxes and masks lie inside the image.
        in_place: draw on ``pixels`` itself instead of on a copy.
        stop: looked at before each person.
        marks: one for each of ``instances``; None numbers them, from 1, where there are several.

    Returns:
        RGB uint8 ``[H, W, 3]``.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    drawn = pixels if in_place else pixels.copy()
    sizes = LineSizes.for_image(pixels)
    if marks is None:
        marks = [Mark(str(index + 1) if len(instances) > 1 else "", index) for index in range(len(instances))]
    colours = [colour(mark.colour) for mark in marks]
    for index in sorted(range(len(instances)), key=lambda k: (-instances[k].area, -k)):
        stop.check()
        _draw_mask(drawn, instances[index].mask, colours[index], sizes)
    for instance, rgb in zip(instances, colours, strict=True):
        x1, y1, x2, y2 = (round(v) for v in instance.box.as_tuple())
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), rgb, max(1, sizes.outline_width // 2))
    for instance, mark in zip(instances, marks, strict=True):
        if mark.name and not instance.box.is_empty:
            _draw_name(drawn, mark, round(instance.box.x1), round(instance.box.y1), sizes)
    return drawn


def _draw_mask(drawn: Pixels, mask: CropMask, rgb: Rgb, sizes: LineSizes) -> None:
    """Tint a person and draw the outline, in place, on RGB uint8 ``[H, W, 3]``."""
    if not mask.pixels.any():
        return
    crop = drawn[mask.region]
    for top in range(0, len(crop), STRIP_ROWS):
        strip, person = crop[top : top + STRIP_ROWS], mask.pixels[top : top + STRIP_ROWS, :, None]
        tinted = cv2.addWeighted(strip, 1 - OPACITY, np.full_like(strip, rgb), OPACITY, 0)
        np.copyto(strip, tinted, where=person)
    outlines, _ = cv2.findContours(mask.pixels.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outlines, -1, rgb, sizes.outline_width, offset=(mask.left, mask.top))


def _draw_name(drawn: Pixels, mark: Mark, left: int, top: int, sizes: LineSizes) -> None:
    """Draw a person's name on a patch of the person's colour, in place, on RGB uint8 ``[H, W, 3]``.

    The patch stands on top of the box whose corner is (``left``, ``top``), or inside that corner if there is no room.
    """
    # OpenCV's fonts have no other characters than ASCII's, and draw two question marks or more for each.
    text, rgb = mark.name[:NAME_LENGTH].encode("ascii", "replace").decode(), colour(mark.colour)
    thickness = max(1, round(sizes.digit_height / 9))
    scale = cv2.getFontScaleFromHeight(FONT, sizes.digit_height, thickness)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, thickness)
    gap = max(2, sizes.digit_height // 4)
    top -= height + 2 * gap if top >= height + 2 * gap else 0
    cv2.rectangle(drawn, (left, top), (left + width + 2 * gap, top + height + 2 * gap), rgb, cv2.FILLED)
    ink = BLACK if is_light(rgb) else WHITE
    cv2.putText(drawn, text, (left + gap, top + gap + height), FONT, scale, ink, thickness, cv2.LINE_AA)
