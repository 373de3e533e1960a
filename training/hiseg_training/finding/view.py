"""Views of photos that a finder learns from: parts of one photo or of four, flipped, enlarged or reduced, coloured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.image import Pixels, Size
from hiseg_training.data.augment import Boxes, Rng, random_colour
from hiseg_training.finding.frames import NOBODY, Frame

LEAST_SIDE = 4.0
"""Pixels of a view; smaller people aren't to be found, and aren't nobody either."""
LEAST_SHARE = 0.3
"""Share of a person's box that is in the view; of others likewise."""
MOSAIC_SCALE = 0.7
"""Size of photos in a view of four, as a multiple of the size that they have alone."""


@dataclass(frozen=True)
class ViewConfig:
    """How views are made.

    Attributes:
        size: (height, width) of a view, multiples of 32.
        fit: longest side that a whole photo has where the finder is used.
        scales: least and largest size of a photo as multiples of that.
        mosaic: share of views that are parts of four photos.
        colour: strength of changes of colour, 0..1.
        augment: False fits whole photos into the views, as they are.
    """

    size: Size
    fit: int
    scales: tuple[float, float]
    mosaic: float
    colour: float
    augment: bool = True


class View(NamedTuple):
    """What a finder sees, and what is known of it.

    Attributes:
        pixels: uint8 ``[h, w, 3]`` RGB.
        labels: uint8 ``[h, w]``, see :class:`~hiseg_training.finding.frames.Frame`.
        boxes: of people, float32 ``[n, 4]``, clipped to the view, in its pixels.
        counted: whether each is to be found, bool ``[n]``.
    """

    pixels: Pixels
    labels: Pixels
    boxes: Boxes
    counted: npt.NDArray[np.bool_]


def make_view(rng: Rng, frames: Sequence[Frame], chosen: Sequence[int], config: ViewConfig) -> View:
    """Make a view.

    Args:
        rng: source of randomness.
        frames: all that may be in it.
        chosen: indices of four of them; a view of one photo is of the first.
        config: how views are made.
    """
    height, width = config.size
    pixels, labels = np.zeros((height, width, 3), np.uint8), np.full((height, width), NOBODY, np.uint8)
    if not config.augment:
        frame = frames[chosen[0]]
        boxes = _place(frame, min(config.size) / max(frame.labels.shape), False, (0, 0), pixels, labels)
        return _finish(pixels, labels, [boxes])
    parts, share = [np.s_[0:height, 0:width]], 1.0
    if rng.random() < config.mosaic:
        y, x = (round(side * rng.uniform(0.35, 0.65)) for side in config.size)
        parts = [np.s_[0:y, 0:x], np.s_[0:y, x:width], np.s_[y:height, 0:x], np.s_[y:height, x:width]]
        share = MOSAIC_SCALE
    found = []
    for part, index in zip(parts, chosen, strict=False):
        frame, region = frames[index], labels[part]
        scale = np.exp(rng.uniform(*np.log(config.scales))) * share * config.fit / max(frame.labels.shape)
        slack = np.array(region.shape) - np.array(frame.labels.shape) * scale
        top, left = (round(rng.uniform(min(0, free), max(0, free))) for free in slack)
        boxes = _place(frame, scale, rng.random() < 0.5, (top, left), pixels[part], region)
        found.append(boxes)
        boxes[:, :4] += np.tile([part[1].start, part[0].start], 2)
    return _finish(random_colour(rng, pixels, config.colour), labels, found)


def _place(frame: Frame, scale: float, flip: bool, corner: tuple[int, int], pixels: Pixels, labels: Pixels) -> Boxes:
    """Draw a resized frame into a region, in place.

    Args:
        frame: to draw.
        scale: pixels of the region that are one of the frame.
        flip: whether it is mirrored.
        corner: (y, x) of the region where the frame's corner comes to lie; it may be outside.
        pixels: of the region, uint8 ``[h, w, 3]``.
        labels: of the region, uint8 ``[h, w]``.

    Returns:
        float32 ``[n, 5]``: boxes clipped to the region, and whether they are to be found.
    """
    height, width = (max(1, round(side * scale)) for side in frame.labels.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = corner
    y1, x1, y2, x2 = max(0, top), max(0, left), min(labels.shape[0], top + height), min(labels.shape[1], left + width)
    part, drawn = np.s_[y1:y2, x1:x2], np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    for plane, target, interpolation in ((frame.pixels, pixels, how), (frame.labels, labels, cv2.INTER_NEAREST)):
        resized = cv2.resize(plane, (width, height), interpolation=interpolation)
        target[part] = (resized[:, ::-1] if flip else resized)[drawn]
    boxes = frame.boxes * np.tile(np.array([width, height]) / frame.labels.shape[::-1], 2)
    if flip:
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    boxes = boxes + np.tile([left, top], 2)
    clipped = np.clip(boxes, 0, np.tile(labels.shape[::-1], 2))
    sides, whole = clipped[:, 2:] - clipped[:, :2], boxes[:, 2:] - boxes[:, :2]
    counted = (sides.min(axis=1) >= LEAST_SIDE) & (sides.prod(axis=1) >= LEAST_SHARE * whole.prod(axis=1))
    inside = sides.min(axis=1) > 0
    return np.asarray(np.column_stack([clipped, counted])[inside], dtype=np.float32)


def _finish(pixels: Pixels, labels: Pixels, found: list[Boxes]) -> View:
    rows = np.concatenate(found)
    return View(pixels, labels, rows[:, :4], rows[:, 4] > 0)
