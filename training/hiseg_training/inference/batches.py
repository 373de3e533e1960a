"""Photos in batches that a model takes: those of a batch share a canvas, and each is decoded when its turn comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hiseg.core.box import Box
from hiseg.core.canvas import Placement, choose_canvas, to_canvas
from hiseg.core.image import Floats, Pixels
from hiseg_training.data.coco import Photo
from hiseg_training.inference.runner import Runner

Boxes = Sequence[Box]


@dataclass(frozen=True)
class ImageBatch:
    """A batch.

    Attributes:
        indices: which photos, in the order of the images.
        pixels: each photo, decoded.
        placements: where each lies on the canvas.
        images: uint8 ``[B, 3, H, W]``.
        rois: float32 ``[N, 5]``.
        counts: RoIs of each photo.
    """

    indices: list[int]
    pixels: list[Pixels]
    placements: list[Placement]
    images: Pixels
    rois: Floats
    counts: list[int]


@dataclass(frozen=True)
class PhotoPrediction:
    """What a model says about one photo.

    Attributes:
        index: of the photo.
        pixels: uint8 ``[H, W, 3]``.
        boxes: that were asked about.
        regions: what masks cover of each box, or beyond it and beyond the photo.
        masks: float32 ``[n, 3, h, w]`` logits or ``[n, 1, h, w]`` 0/1.
        foreground: float32 ``[h, w]``, probability on the part of the canvas that the photo covers.
    """

    index: int
    pixels: Pixels
    boxes: Boxes
    regions: Boxes
    masks: Floats
    foreground: Floats


def load_batches(photos: Sequence[Photo], boxes: Sequence[Boxes], runner: Runner, size: int) -> Iterator[ImageBatch]:
    """All photos in batches of up to ``size``, canvas by canvas.

    Args:
        boxes: of each photo, inside it.
    """
    placements = [choose_canvas(photo.height, photo.width, runner.canvases, runner.resize) for photo in photos]
    by_canvas = defaultdict(list)
    for index, placement in enumerate(placements):
        by_canvas[placement.canvas].append(index)
    for indices in by_canvas.values():
        for start in range(0, len(indices), size):
            yield _load(indices[start : start + size], photos, boxes, placements)


def _load(
    indices: list[int], photos: Sequence[Photo], boxes: Sequence[Boxes], placements: Sequence[Placement]
) -> ImageBatch:
    pixels = [photos[index].pixels() for index in indices]
    placed = [placements[index] for index in indices]
    rois = [placement.rois(boxes[index]) for index, placement in zip(indices, placed, strict=True)]
    counts = [len(rows) for rows in rois]
    numbers = np.repeat(np.arange(len(indices), dtype=np.float32), counts)
    images = np.stack([to_canvas(image, placement) for image, placement in zip(pixels, placed, strict=True)])
    return ImageBatch(indices, pixels, placed, images, np.column_stack([numbers, np.concatenate(rois)]), counts)


def split_predictions(
    loaded: ImageBatch, boxes: Sequence[Boxes], crop_scale: float, masks: Floats, foreground: Floats
) -> Iterator[PhotoPrediction]:
    """What came back for a batch, photo by photo; masks cover regions ``crop_scale`` times as large as boxes."""
    rows = np.split(masks, np.cumsum(loaded.counts)[:-1])
    for place, index in enumerate(loaded.indices):
        height, width = loaded.placements[place].content
        seen = np.ascontiguousarray(foreground[place, 0, :height, :width])
        regions = [box.scaled(crop_scale) for box in boxes[index]]
        yield PhotoPrediction(index, loaded.pixels[place], boxes[index], regions, rows[place], seen)


def predict_photos(
    photos: Sequence[Photo], boxes: Sequence[Boxes], runner: Runner, size: int
) -> Iterator[PhotoPrediction]:
    """Ask a model about photos, in the order in which it takes them."""
    for loaded in load_batches(photos, boxes, runner, size):
        yield from split_predictions(loaded, boxes, runner.crop_scale, *runner.predict(loaded.images, loaded.rois))
