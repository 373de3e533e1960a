"""Scores a model's predictions person by person, with masks drawn by the service's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from hiseg.core.box import Box
from hiseg.core.image import BoolMask, Floats
from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.iou import boundary_iou, covered_share, iou, label_grid
from hiseg_training.inference.batches import PhotoPrediction, predict_photos
from hiseg_training.inference.masks import foreground, full_masks
from hiseg_training.inference.runner import Runner

Rle = dict[str, object]


@dataclass(frozen=True)
class PersonScore:
    """The scores of one person; IoU is 0..1.

    Attributes:
        iou: IoU at the image's resolution.
        boundary: boundary IoU at the image's resolution.
        classes: IoU of background, target and other people at the model's mask resolution; background and other are
            None for a model whose masks are 0/1.
        confidence: the score that the service gives the mask.
        rle: the predicted mask as COCO run lengths.
        source: name of the data set.
        size: COCO's size: small below 32^2 pixels, medium below 96^2, else large.
        people: number of people in the photo.
        covered: share of the box that other boxes cover, 0..1.
    """

    iou: float
    boundary: float
    classes: tuple[float | None, float, float | None]
    confidence: float
    rle: Rle
    source: str
    size: str
    people: int
    covered: float

    @property
    def target(self) -> float:
        """IoU of the target at the mask resolution, the figure that upstream reports."""
        return self.classes[1]


@dataclass(frozen=True)
class PhotoScore:
    """The scores of one photo; IoU is 0..1.

    Attributes:
        people: the scores of its people, in the photo's order; none by a model without masks.
        foreground: IoU of the foreground at the photo's size, which is the union of the masks for a model that has
            masks alone; None where the photo is not exhaustively outlined.
        background: IoU of the background, likewise.
    """

    people: tuple[PersonScore, ...]
    foreground: float | None
    background: float | None

    @property
    def mean(self) -> float:
        """Mean IoU of its people."""
        return float(np.mean([person.iou for person in self.people]))


def score_photos(photos: Sequence[Photo], runner: Runner, jitter: float = 0.0, batch: int = 1) -> list[PhotoScore]:
    """Run a model on photos and score its predictions.

    Args:
        photos: photos whose people all have a mask.
        runner: the model.
        jitter: largest shift of each box edge, as a share of the box's side; the same boxes for every model.
        batch: most photos a run of the model.

    Returns:
        The scores of each photo, in the photos' order.
    """
    boxes = jittered_boxes(photos, jitter)
    found: dict[int, PhotoScore] = {}
    for prediction in tqdm(
        predict_photos(photos, boxes, runner, batch), desc="validate", total=len(photos), mininterval=10
    ):
        found[prediction.index] = score_photo(photos[prediction.index], prediction)
    return [found[index] for index in range(len(photos))]


def score_photo(photo: Photo, prediction: PhotoPrediction) -> PhotoScore:
    """Compare a prediction with the photo's own masks; each of its people needs one."""
    truths = [person.mask() for person in photo.people]
    anybody = np.logical_or.reduce(truths)
    people, drawn_masks = [], []
    predicted = zip(full_masks(prediction), prediction.masks, prediction.regions, strict=True)
    for k, ((drawn, confidence), masks, region) in enumerate(predicted):
        others = [p.box for p in photo.people if p is not photo.people[k]]
        drawn_masks.append(drawn)
        people.append(
            PersonScore(
                iou=iou(drawn, truths[k]),
                boundary=boundary_iou(drawn, truths[k]),
                classes=_classes(masks, region, truths[k], anybody),
                confidence=confidence,
                rle=coco_mask.encode(np.asfortranarray(drawn.view(np.uint8))),
                source=photo.source,
                size=_size(truths[k]),
                people=len(photo.people),
                covered=covered_share(photo.people[k].box, others),
            )
        )
    if not photo.exhaustive:
        return PhotoScore(tuple(people), None, None)
    united = prediction.foreground is None
    seen: BoolMask = np.logical_or.reduce(drawn_masks) if united else np.asarray(foreground(prediction) > 0.5)
    return PhotoScore(tuple(people), iou(seen, anybody), iou(~seen, ~anybody))


def jittered_boxes(photos: Sequence[Photo], share: float, seed: int = 0) -> list[list[Box]]:
    """Return the boxes of each photo's people, jittered.

    Args:
        photos: with their people.
        share: largest shift of each box edge, as a share of the box's side; uniform.
        seed: of the random shifts.

    Returns:
        Boxes in pixels, one list a photo, clipped to the photo.
    """
    rng = np.random.default_rng(seed)
    return [[_jitter(p.box, rng, share, photo.width, photo.height) for p in photo.people] for photo in photos]


def _jitter(box: Box, rng: np.random.Generator, share: float, width: int, height: int) -> Box:
    w, h = box.x2 - box.x1, box.y2 - box.y1
    dx1, dy1, dx2, dy2 = rng.uniform(-share, share, 4)
    moved = Box(box.x1 + dx1 * w, box.y1 + dy1 * h, box.x2 + dx2 * w, box.y2 + dy2 * h).clipped(width, height)
    return box if moved.is_empty else moved


def _classes(
    masks: Floats, region: Box, target: BoolMask, anybody: BoolMask
) -> tuple[float | None, float, float | None]:
    """Return the IoU of background, target and other people in a region, at the mask resolution.

    Args:
        masks: float32 ``[3, h, w]`` logits, or ``[1, h, w]`` 0/1, for which only the target's IoU is known.
        region: what the masks cover, in image pixels.
        target: bool ``[H, W]``, the person's pixels.
        anybody: bool ``[H, W]``, all people's pixels.
    """
    truth = label_grid(region, target, anybody, masks.shape[1:])
    if len(masks) == 1:
        return None, iou(masks[0] > 0.5, truth == 1), None
    found = masks.argmax(axis=0)
    background, person, other = (iou(found == label, truth == label) for label in range(3))
    return background, person, other


def _size(mask: BoolMask) -> str:
    """Return COCO's size class of a mask, bool ``[H, W]``."""
    area = np.count_nonzero(mask)
    return "small" if area < 32**2 else "medium" if area < 96**2 else "large"
