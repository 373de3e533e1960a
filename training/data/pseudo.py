"""Outlines for photos that have boxes only: a model that knows how to follow boxes draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from service.canvas import choose_canvas, to_canvas
from service.domain import Floats, Pixels
from service.engines.base import margins
from service.masks.crop import crop_mask
from training.config import CANVASES
from training.data.coco import Photo

Predict = Callable[[Pixels, Floats], tuple[Floats, Floats]]
"""uint8 ``[1,3,H,W]``, RoIs ``[N,5]`` -> ``masks`` ``[N,3,h,w]``, ``binary_masks`` ``[1,1,H,W]``."""


def outline(photos: Iterable[Photo], predict: Predict) -> list[Photo]:
    """The same photos; everybody without an outline gets the model's, in and through the service's own code."""
    return [photo if photo.outlined else _outlined(photo, predict) for photo in tqdm(list(photos), desc="outline")]


def _outlined(photo: Photo, predict: Predict) -> Photo:
    boxes = [person.box for person in photo.people]
    placement = choose_canvas(photo.height, photo.width, CANVASES)
    rois = np.concatenate([np.zeros((len(boxes), 1), np.float32), placement.rois(boxes)], axis=1)
    masks, _ = predict(to_canvas(photo.pixels(), placement)[None], rois)
    people = []
    for margin, person in zip(margins(masks), photo.people, strict=True):
        drawn, _ = crop_mask(margin, person.box, photo.width, photo.height)
        full = np.zeros((photo.height, photo.width), dtype=np.uint8)
        height, width = drawn.pixels.shape
        full[drawn.top : drawn.top + height, drawn.left : drawn.left + width] = drawn.pixels
        drawn_rle = coco_mask.encode(np.asfortranarray(full))
        people.append(person if person.rle is not None else replace(person, rle=drawn_rle, area=float(full.sum())))
    return replace(photo, people=tuple(people))
