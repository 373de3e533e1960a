"""Cuts each outlined person's surroundings out of their photo, so that a run decodes no photo while it learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from hiseg.core.image import BoolMask, Floats, Pixels, Size
from hiseg_training.config.model import BACKGROUND, OTHER, TARGET, UNKNOWN
from hiseg_training.data.coco import SOMEBODY, Photo

REGION = 1.8
"""Side of the surroundings as a multiple of the box's: room for a model's context, and for looser and turned boxes."""
STORED: Size = (256, 192)
"""(height, width) of a crop. A box takes 142 x 107 of it, more than a model of 128 x 96 gets to see."""
LEAST_PIXELS = 60
"""Least visible pixels of a person to learn from: smaller outlines are too coarse."""
UNSURE = (0.2, 0.8)
"""Between these probabilities that anybody is there, a model's pseudo-label is no label."""
Corner = npt.NDArray[np.int64]
"""(x, y) of a pixel, int64 ``[2]``."""


class Crop(NamedTuple):
    """A person's surroundings, stretched to the size of all crops.

    Boxes are ``x1 y1 x2 y2`` in pixels of the crop, edges at 0 and at its sides, and may reach beyond it.

    Attributes:
        pixels: uint8 ``[H, W, 3]`` RGB; 0 outside the photo.
        labels: uint8 ``[H, W]``: background, target, other people or unknown, as numbered in
            :mod:`hiseg_training.config.model`; background outside the photo.
        scale: float32 ``[2]``, pixels of the photo that are one pixel of the crop, across and down.
        box: float32 ``[4]``, the person's.
        frame: float32 ``[4]``, the photo's.
        others: float32 ``[n, 4]``, those of the other people whose boxes reach into the crop.
    """

    pixels: Pixels
    labels: Pixels
    scale: Floats
    box: Floats
    frame: Floats
    others: Floats


def cut_photo(photo: Photo, size: Size = STORED, annotated: bool = False) -> Iterator[Crop]:
    """Yield a crop for each outlined person of a photo, in the photo's order.

    The target is what is visible of the person, where :meth:`Photo.identities` has nobody in front. Nothing is known of
    the pixels in the box of somebody without an outline, or with an empty one, unless somebody's outline has them, nor
    where a photo's guess is neither sure that anybody is there nor that nobody is. The photo is decoded only if anybody
    in it has an outline.

    Args:
        photo: with people, some of whom have outlines.
        size: (height, width) of the crops.
        annotated: cut about the annotated box, as a model is measured; else about the tightest box of what is visible,
            and leave out people of whom under :data:`LEAST_PIXELS` are.

    Raises:
        FileNotFoundError, AnnotationError: those of :meth:`Photo.pixels`.
    """
    # Identities above are shared by several people.
    outlined = [k for k, person in enumerate(photo.people[: SOMEBODY - 1]) if person.rle is not None]
    if not outlined:
        return
    pixels, identities, *guess = photo.planes()
    unknown = _unknown(photo, identities, guess[0] if guess else None)
    boxes = np.array([person.box.as_tuple() for person in photo.people], dtype=np.float32)
    least = 1 if annotated else LEAST_PIXELS
    for k in outlined:
        visible = identities == k + 1
        if np.count_nonzero(visible) < least:
            continue
        x1, y1, x2, y2 = boxes[k] if annotated else _bounds(visible)
        # Whole pixels, so that a crop is resampled once, and from edge to edge.
        middle, reach = np.array([x1 + x2, y1 + y2]) / 2, np.array([x2 - x1, y2 - y1]) * (REGION / 2)
        low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
        whose = np.full(SOMEBODY + 1, OTHER, dtype=np.uint8)
        whose[[0, k + 1]] = BACKGROUND, TARGET
        labels = _nearest(whose[_window(identities, low, high)], size)
        labels[_nearest(_window(unknown, low, high), size) > 0] = UNKNOWN
        if not (labels == TARGET).any():
            continue
        scale = ((high - low) / size[::-1]).astype(np.float32)

        others = _placed(np.delete(boxes, k, axis=0), low, scale)
        near = (others[:, :2] < size[::-1]).all(axis=1) & (others[:, 2:] > 0).all(axis=1)
        yield Crop(
            _resized(_window(pixels, low, high), size),
            labels,
            scale,
            _placed(np.array([x1, y1, x2, y2]), low, scale),
            _placed(np.array([0, 0, photo.width, photo.height]), low, scale),
            others[near],
        )


def _unknown(photo: Photo, identities: Pixels, guess: Pixels | None) -> Pixels:
    """Return which pixels of a photo nobody has labelled, uint8 0/1 ``[H, W]``.

    Args:
        photo: with its people.
        identities: uint8 ``[H, W]`` of the people with outlines.
        guess: uint8 ``[H, W]``, a model's probability that anybody is there, 0..255; None if no model has labelled.
    """
    unknown = np.zeros(identities.shape, dtype=np.bool_)
    for person in photo.people:
        # A model may find nobody in a box.
        if person.rle is None or not coco_mask.area(person.rle):
            box = person.box
            unknown[int(box.y1) : int(np.ceil(box.y2)), int(box.x1) : int(np.ceil(box.x2))] = True
    unknown &= identities == 0
    if guess is not None:
        unknown |= (guess > 255 * UNSURE[0]) & (guess < 255 * UNSURE[1])
    return unknown.view(np.uint8)


def _bounds(mask: BoolMask) -> tuple[float, float, float, float]:
    """Return ``x1 y1 x2 y2`` of the tightest box around bool ``[H, W]``."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return float(x), float(y), float(x + width), float(y + height)


def _window(plane: Pixels, low: Corner, high: Corner) -> Pixels:
    """Return the part of uint8 ``[H, W]`` or ``[H, W, 3]`` from pixel (x, y) ``low`` to ``high``; 0 outside."""
    height, width = plane.shape[:2]
    (x1, y1), (x2, y2) = np.maximum(low, 0), np.minimum(high, (width, height))
    around = (y1 - low[1], high[1] - y2, x1 - low[0], high[0] - x2)
    return np.asarray(cv2.copyMakeBorder(plane[y1:y2, x1:x2], *around, cv2.BORDER_CONSTANT), dtype=np.uint8)


def _placed(boxes: npt.NDArray[Any], low: Corner, scale: Floats) -> Floats:
    """Return boxes ``[..., 4]`` of the photo in pixels of the crop that begins at ``low``."""
    return np.asarray((boxes - np.tile(low, 2)) / np.tile(scale, 2), dtype=np.float32)


def _resized(plane: Pixels, size: Size) -> Pixels:
    """Resize uint8 ``[h, w, 3]``: averaged over areas along a side that shrinks, linearly along one that grows."""
    height, width = (min(wanted, had) for wanted, had in zip(size, plane.shape, strict=False))
    shrunk = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _nearest(plane: Pixels, size: Size) -> Pixels:
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)
