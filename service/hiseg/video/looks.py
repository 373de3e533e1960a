"""What the video that is written shows: people tinted, as a matte, cut out, or before another background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageOps

from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.image import Pixels
from hiseg.core.result import Instance
from hiseg.masks.formats.overlay import Mark, overlay

BLUR = "blur"
OPAQUE = 255
EDGE_SIGMA = 0.8
"""Softness of edges in pixels: masks know no halves, and hard edges flicker and look like stairs."""
COLOURED_AROUND = 8
"""Pixels around people that keep their colours though they are transparent: codecs mix neighbours' colours."""
BLUR_SHARE = 40
"""A blurred background is blurred by the frame's longer side divided by this."""
BLUR_SHRINK = 4
"""It is blurred at a fraction of the size, as nothing fine is left of it."""


class Look(StrEnum):
    """What is shown."""

    OVERLAY = "overlay"
    MATTE = "matte"
    ALPHA = "alpha"
    CUTOUT = "cutout"


@dataclass(frozen=True, slots=True)
class Style:
    """How frames are drawn.

    Attributes:
        look: what is shown.
        background: with CUTOUT, what is behind people: a colour or a picture, RGB uint8 ``[H, W, 3]`` of any size; None
            is the frame itself, blurred.
    """

    look: Look = Look.OVERLAY
    background: Pixels | None = None

    def draw(self, pixels: Pixels, instances: Sequence[Instance], marks: Sequence[Mark]) -> Pixels:
        """Draw a frame.

        Args:
            pixels: RGB uint8 ``[H, W, 3]``.
            instances: the people in it.
            marks: their names and colours.

        Returns:
            uint8, RGB ``[H, W, 3]``; ``[H, W]`` for MATTE, RGBA ``[H, W, 4]`` for ALPHA.
        """
        if self.look is Look.OVERLAY:
            return overlay(pixels, instances, marks=marks) if instances else pixels
        alpha = opacity(instances, pixels.shape[0], pixels.shape[1])
        if self.look is Look.MATTE:
            return alpha
        if self.look is Look.ALPHA:
            side = 2 * COLOURED_AROUND + 1
            near = cv2.dilate(alpha, np.ones((side, side), dtype=np.uint8)) > 0
            return np.dstack((pixels * near[:, :, None], alpha))
        behind = blurred(pixels, alpha) if self.background is None else cover(self.background, *pixels.shape[:2])
        share = alpha[:, :, None].astype(np.uint16)
        return ((pixels * share + behind * (OPAQUE - share) + OPAQUE // 2) // OPAQUE).astype(np.uint8)


OVERLAY = Style()


def parse_style(look: Look | None, background: str | None) -> Style:
    """Make a style of the options ``--as`` and ``--background``.

    Raises:
        CommandError: the two don't go together.
        BadOption: the background is neither ``blur`` nor a colour nor a picture.
    """
    if background is None:
        if look is Look.CUTOUT:
            raise CommandError("--as cutout needs --background: a colour, blur, or a picture")
        return Style(look or Look.OVERLAY)
    if look not in (None, Look.CUTOUT):
        raise CommandError(f"--background is for --as cutout, not for {look}")
    if background == BLUR:
        return Style(Look.CUTOUT)
    try:
        rgb = ImageColor.getrgb(background)
        return Style(Look.CUTOUT, np.array([[rgb[:3]]], dtype=np.uint8))
    except ValueError:
        pass
    if not Path(background).is_file():
        words = "is neither blur, nor a colour such as white or #00ff00, nor the file of a picture"
        raise BadOption("--background", background, words)
    try:
        with Image.open(background) as picture:
            return Style(Look.CUTOUT, np.asarray(ImageOps.exif_transpose(picture).convert("RGB")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadOption("--background", background, "is no picture that can be read") from error


def opacity(instances: Sequence[Instance], height: int, width: int) -> Pixels:
    """Return how opaque everybody is together, uint8 ``[H, W]``: 255 inside masks, less at their edges."""
    alpha = np.zeros((height, width), dtype=np.uint8)
    for instance in instances:
        alpha[instance.mask.region][instance.mask.pixels] = OPAQUE
    return np.asarray(cv2.GaussianBlur(alpha, (3, 3), EDGE_SIGMA), dtype=np.uint8)


def blurred(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Blur a frame without its people, so that no halo of theirs is left around them.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``.
        alpha: how opaque the people are, uint8 ``[H, W]``.

    Returns:
        RGB uint8 ``[H, W, 3]``.
    """
    height, width = alpha.shape
    size = max(1, width // BLUR_SHRINK), max(1, height // BLUR_SHRINK)
    sigma = max(height, width) / BLUR_SHARE / BLUR_SHRINK
    # Where people are all around there is nothing else to be seen: they count a little.
    weight = np.maximum(OPAQUE - alpha, 1).astype(np.float32)
    scaled = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (pixels * weight[:, :, None], weight))
    colours, weights = (cv2.GaussianBlur(each, (0, 0), max(sigma, 0.5)) for each in scaled)
    mean = np.asarray(colours / weights[:, :, None]).clip(0, OPAQUE).astype(np.uint8)
    return np.asarray(cv2.resize(mean, (width, height)), dtype=np.uint8)


def cover(picture: Pixels, height: int, width: int) -> Pixels:
    """Scale a picture until it covers a frame, and cut off what is too much on both sides: uint8 ``[H, W, 3]``."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    return np.asarray(scaled[top : top + height, left : left + width], dtype=np.uint8)
