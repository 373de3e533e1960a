"""Fits a picture into one of the model's canvases and says where its boxes land there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats, Pixels

Size = tuple[int, int]
"""(height, width) in pixels."""


class Resize(StrEnum):
    """How a picture is brought to a canvas; a model declares which one it was trained with."""

    LETTERBOX = "letterbox"
    """The aspect ratio is kept: the picture sits in the top left corner, the rest is black."""
    STRETCH = "stretch"
    """The picture fills the canvas."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on its canvas.

    Attributes:
        canvas: (height, width) of the canvas.
        content: (height, width) of the picture on it, from the top left corner.
        image: (height, width) of the picture itself.
    """

    canvas: Size
    content: Size
    image: Size

    def rois(self, boxes: Sequence[Box]) -> Floats:
        """Boxes in image pixels -> float32 ``[N, 4]`` rows ``x1 y1 x2 y2`` in 0..1 of the canvas."""
        sx = self.content[1] / self.image[1] / self.canvas[1]
        sy = self.content[0] / self.image[0] / self.canvas[0]
        rows = np.array([b.as_tuple() for b in boxes], dtype=np.float64).reshape(-1, 4)
        return (rows * (sx, sy, sx, sy)).astype(np.float32)


def choose_canvas(height: int, width: int, canvases: Sequence[Size], resize: Resize = Resize.LETTERBOX) -> Placement:
    """The canvas that shows the picture largest and, among those, has the fewest pixels.

    Raises:
        ValueError: if the model declares no canvas.
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
    """uint8 ``[H, W, 3]`` picture -> uint8 ``[3, canvas_h, canvas_w]``, area-averaged when it shrinks."""
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
