"""Fits an image into one of the canvases that a model accepts, and converts its boxes to RoIs on that canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats, Pixels, Size


class Resize(StrEnum):
    """How an image is resized to a canvas; a model declares which way it was trained with."""

    LETTERBOX = "letterbox"
    """The aspect ratio is kept: the image lies in the top left corner, the rest is black."""
    STRETCH = "stretch"
    """The image fills the canvas."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies on its canvas.

    Attributes:
        canvas: (height, width) of the canvas.
        content: (height, width) of the resized image on the canvas, from its top left corner.
        image: (height, width) of the image itself.
    """

    canvas: Size
    content: Size
    image: Size

    def rois(self, boxes: Sequence[Box]) -> Floats:
        """Convert boxes in image pixels to float32 ``[N, 4]``, rows ``x1 y1 x2 y2`` in 0..1 of the canvas."""
        sx = self.content[1] / self.image[1] / self.canvas[1]
        sy = self.content[0] / self.image[0] / self.canvas[0]
        rows = np.array([b.as_tuple() for b in boxes], dtype=np.float64).reshape(-1, 4)
        return (rows * (sx, sy, sx, sy)).astype(np.float32)

    def boxes(self, rows: Floats) -> list[Box]:
        """Convert rows ``x1 y1 x2 y2`` in 0..1 of the canvas, ``[N, 4]``, to boxes in pixels, within the image."""
        sx = self.image[1] / self.content[1] * self.canvas[1]
        sy = self.image[0] / self.content[0] * self.canvas[0]
        height, width = self.image
        return [Box(*row).clipped(width, height) for row in (rows.astype(np.float64) * (sx, sy, sx, sy)).tolist()]


def choose_canvas(height: int, width: int, canvases: Sequence[Size], resize: Resize = Resize.LETTERBOX) -> Placement:
    """Choose the canvas that shows an image largest and, among those, has the fewest pixels.

    Args:
        height: height of the image in pixels.
        width: width of the image in pixels.
        canvases: (height, width) of each canvas that the model accepts.
        resize: how the model expects images to be resized.

    Raises:
        ValueError: the model accepts no canvas.
    """
    if not canvases:
        raise ValueError("the model declares no canvas")

    def scale(canvas: Size) -> float:
        return min(canvas[0] / height, canvas[1] / width)

    best = max(scale(c) for c in canvases)
    # 0.2 % covers the row or column that camera formats round away (1366x768 is not quite 16:9).
    canvas = min((c for c in canvases if scale(c) >= best * 0.998), key=lambda c: c[0] * c[1])
    content = canvas
    if resize is Resize.LETTERBOX:
        fitted = (round(height * scale(canvas)), round(width * scale(canvas)))
        content = (min(canvas[0], max(1, fitted[0])), min(canvas[1], max(1, fitted[1])))
    return Placement(canvas=canvas, content=content, image=(height, width))


def to_canvas(pixels: Pixels, placement: Placement) -> Pixels:
    """Put an image on its canvas, area-averaged if it shrinks.

    Args:
        pixels: uint8 ``[H, W, 3]``.
        placement: where the image lies on its canvas.

    Returns:
        uint8 ``[3, canvas_h, canvas_w]``.
    """
    height, width = placement.content
    shrinks = pixels.shape[0] > height or pixels.shape[1] > width
    if pixels.shape[:2] != placement.content:
        mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=mode), dtype=np.uint8)
    if placement.content != placement.canvas:
        below, beside = placement.canvas[0] - height, placement.canvas[1] - width
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_CONSTANT), dtype=np.uint8)
    canvas = np.empty((3, *placement.canvas), dtype=np.uint8)
    # Several times as fast as NumPy's transposition, but only into whole planes; hence the border before it.
    cv2.split(pixels, list(canvas))
    return canvas
