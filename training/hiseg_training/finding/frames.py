"""Photos reduced to what a finder sees of them, with what is known of everybody in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hiseg.core.image import Pixels
from hiseg_training.data.augment import Boxes
from hiseg_training.data.coco import Photo

NOBODY, SOMEBODY, UNKNOWN = range(3)
"""Labels of a pixel: nobody's; a person's; in the box of somebody without an outline, so perhaps a person's."""


class Frame(NamedTuple):
    """A reduced photo.

    Attributes:
        pixels: uint8 ``[h, w, 3]`` RGB.
        labels: uint8 ``[h, w]``, :data:`NOBODY`, :data:`SOMEBODY` or :data:`UNKNOWN`.
        boxes: of all people, float32 ``[n, 4]`` of ``x1 y1 x2 y2``, in pixels of the frame.
    """

    pixels: Pixels
    labels: Pixels
    boxes: Boxes


def draw_labels(photo: Photo) -> Pixels:
    """Draw what is known of each pixel of a photo whose people all have boxes: uint8 ``[H, W]`` of its size."""
    labels = np.full((photo.height, photo.width), NOBODY, np.uint8)
    for person in photo.people:
        if person.rle is None:
            box = person.box
            labels[int(box.y1) : int(np.ceil(box.y2)), int(box.x1) : int(np.ceil(box.x2))] = UNKNOWN
    for person in photo.people:
        if person.rle is not None:
            labels[person.mask()] = SOMEBODY
    return labels


def reduce_photo(photo: Photo, scale: float) -> Frame:
    """Decode a photo and resize it.

    Args:
        photo: in which everybody is annotated, with a box at least.
        scale: pixels of the frame that are one of the photo.

    Raises:
        FileNotFoundError, AnnotationError: see :meth:`Photo.pixels`.
    """
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(photo.pixels(), size, interpolation=how)
    labels = cv2.resize(draw_labels(photo), size, interpolation=cv2.INTER_NEAREST)
    boxes = np.array([person.box.as_tuple() for person in photo.people], np.float32).reshape(-1, 4)
    stretch = np.tile(np.array(size, np.float32) / (photo.width, photo.height), 2)
    return Frame(np.asarray(pixels, np.uint8), np.asarray(labels, np.uint8), (boxes * stretch).astype(np.float32))


def read_frames(photos: Sequence[Photo], side: int) -> list[Frame]:
    """Reduce photos so that no side is longer than ``side`` pixels; smaller ones stay as they are.

    They are all kept decoded: a step takes less time than decoding its photos would.
    """
    return [
        reduce_photo(photo, min(1.0, side / max(photo.width, photo.height)))
        for photo in tqdm(photos, desc="reduce", mininterval=10)
    ]


def draw_weights(photos: Sequence[Photo], nobody: float) -> npt.NDArray[np.float64]:
    """Chance of each photo to be drawn, float64 ``[n]`` of sum 1; photos of nobody count ``nobody`` of the others."""
    weights = np.array([1.0 if photo.people else nobody for photo in photos])
    return np.asarray(weights / weights.sum())
