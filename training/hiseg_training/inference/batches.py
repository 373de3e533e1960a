"""Batches photos for a model: those of a batch share a canvas, and each is decoded only when its batch is due."""

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
    """The inputs of one run of a model.

    Attributes:
        indices: index of each photo of the batch, ``B`` of them.
        pixels: each photo decoded, uint8 ``[h, w, 3]``.
        placements: where each photo lies on its canvas.
        images: uint8 ``[B, 3, H, W]``, the canvases.
        rois: float32 ``[N, 5]`` of ``batch_index x1 y1 x2 y2``, 0..1 of the canvas.
        counts: number of RoIs of each photo.
    """

    indices: list[int]
    pixels: list[Pixels]
    placements: list[Placement]
    images: Pixels
    rois: Floats
    counts: list[int]


@dataclass(frozen=True)
class PhotoPrediction:
    """A model's prediction for one photo.

    Attributes:
        index: of the photo.
        pixels: the decoded photo, uint8 ``[H, W, 3]``.
        boxes: the ``n`` boxes that masks were predicted for, in pixels.
        regions: the area that each mask covers, in pixels; it may extend beyond the box and the photo.
        masks: float32 ``[n, 3, h, w]`` logits or ``[n, 1, h, w]`` 0/1.
        foreground: float32 ``[h, w]``, probability 0..1 on the part of the canvas that the photo covers; None of a
            model that predicts masks alone.
    """

    index: int
    pixels: Pixels
    boxes: Boxes
    regions: Boxes
    masks: Floats
    foreground: Floats | None


def load_batches(photos: Sequence[Photo], boxes: Sequence[Boxes], runner: Runner, size: int) -> Iterator[ImageBatch]:
    """Yield all photos in batches of one canvas each.

    Args:
        photos: photos to load.
        boxes: of each photo, in pixels, inside it.
        runner: the model that the batches are for.
        size: most photos a batch.
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
    """Decode the photos with these indices and lay them out on their canvases."""
    pixels = [photos[index].pixels() for index in indices]
    placed = [placements[index] for index in indices]
    rois = [placement.rois(boxes[index]) for index, placement in zip(indices, placed, strict=True)]
    counts = [len(rows) for rows in rois]
    numbers = np.repeat(np.arange(len(indices), dtype=np.float32), counts)
    images = np.stack([to_canvas(image, placement) for image, placement in zip(pixels, placed, strict=True)])
    return ImageBatch(indices, pixels, placed, images, np.column_stack([numbers, np.concatenate(rois)]), counts)


def split_predictions(
    batch: ImageBatch, boxes: Sequence[Boxes], crop_scale: float, masks: Floats, foreground: Floats | None
) -> Iterator[PhotoPrediction]:
    """Split a model's outputs for a batch into predictions, photo by photo.

    Args:
        batch: the inputs.
        boxes: of each photo, by its index.
        crop_scale: side of the region that a mask covers, as a multiple of the box's side.
        masks: float32 ``[N, 3, h, w]`` or ``[N, 1, h, w]``, a row for each RoI.
        foreground: float32 ``[B, 1, H, W]``, or None.
    """
    rows = np.split(masks, np.cumsum(batch.counts)[:-1])
    for row, index in enumerate(batch.indices):
        height, width = batch.placements[row].content
        seen = None if foreground is None else np.ascontiguousarray(foreground[row, 0, :height, :width])
        regions = [box.scaled(crop_scale) for box in boxes[index]]
        yield PhotoPrediction(index, batch.pixels[row], boxes[index], regions, rows[row], seen)


def predict_photos(
    photos: Sequence[Photo], boxes: Sequence[Boxes], runner: Runner, size: int
) -> Iterator[PhotoPrediction]:
    """Yield a model's prediction for each photo, batch by batch, so not in the photos' order.

    Args:
        photos: photos to predict.
        boxes: of each photo, in pixels, inside it; a model without masks isn't told of them.
        runner: the model.
        size: most photos a batch.
    """
    boxes = boxes if runner.has_masks else [[] for _ in photos]
    for batch in load_batches(photos, boxes, runner, size):
        yield from split_predictions(batch, boxes, runner.crop_scale, *runner.predict(batch.images, batch.rois))
