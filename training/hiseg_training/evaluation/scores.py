"""What a model's answer about one photo is worth, person by person, through the mask code of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from hiseg.core.box import Box
from hiseg.core.image import BoolMask, Floats
from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.iou import boundary_iou, covered_share, iou, label_grid
from hiseg_training.inference.batches import PhotoPrediction, predict_photos
from hiseg_training.inference.masks import full_masks
from hiseg_training.inference.runner import Runner

Rle = dict[str, object]


@dataclass(frozen=True)
class PersonScore:
    """One person.

    Attributes:
        iou: at the image's resolution.
        boundary: boundary IoU, there too.
        classes: IoU of background, target and other people at the masks' resolution; a model that gives 0/1 masks
            tells the target only, the others are None.
        confidence: the score that the service gives.
        rle: the predicted mask.
        source: data set.
        size: COCO's: small below 32^2 pixels, medium below 96^2, else large.
        people: in the photo.
        covered: share of the box that other boxes cover.
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
        """IoU of the target at the masks' resolution: the document's figure."""
        return self.classes[1]


@dataclass(frozen=True)
class PhotoScore:
    """One photo.

    Attributes:
        people: in the photo's order.
        foreground: IoU of everybody together; None where not everybody is outlined.
        background: IoU of the rest.
    """

    people: tuple[PersonScore, ...]
    foreground: float | None
    background: float | None

    @property
    def mean(self) -> float:
        """IoU of its people, on average."""
        return float(np.mean([person.iou for person in self.people]))


def score_photos(photos: Sequence[Photo], runner: Runner, jitter: float = 0.0, batch: int = 1) -> list[PhotoScore]:
    """Ask a model about photos and score its answers.

    Args:
        photos: everybody in them is outlined, or at least has a mask.
        jitter: each edge of each box is moved by a uniform share of its side up to this, the same for every model.
        batch: photos a run of the model.
    """
    boxes = jittered_boxes(photos, jitter)
    found: dict[int, PhotoScore] = {}
    for answer in tqdm(
        predict_photos(photos, boxes, runner, batch), desc="validate", total=len(photos), mininterval=10
    ):
        found[answer.index] = score_photo(photos[answer.index], answer)
    return [found[index] for index in range(len(photos))]


def score_photo(photo: Photo, answer: PhotoPrediction) -> PhotoScore:
    """Compare an answer with the photo's own masks."""
    truths = [person.mask() for person in photo.people]
    anybody = np.logical_or.reduce(truths)
    people = []
    answered = zip(full_masks(answer), answer.masks, answer.regions, strict=True)
    for k, ((drawn, confidence), masks, region) in enumerate(answered):
        others = [p.box for p in photo.people if p is not photo.people[k]]
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
    seen = foreground_mask(answer.foreground, photo)
    return PhotoScore(tuple(people), iou(seen, anybody), iou(~seen, ~anybody))


def foreground_mask(foreground: Floats, photo: Photo) -> BoolMask:
    """Where anybody is, at the photo's size, bool ``[H, W]``."""
    return np.asarray(cv2.resize(foreground, (photo.width, photo.height)) > 0.5)


def jittered_boxes(photos: Sequence[Photo], share: float, seed: int = 0) -> list[list[Box]]:
    """Everybody's box, each edge moved by a uniform share of its side up to ``share``, but not out of the photo."""
    rng = np.random.default_rng(seed)
    return [[_moved(p.box, rng, share, photo.width, photo.height) for p in photo.people] for photo in photos]


def _moved(box: Box, rng: np.random.Generator, share: float, width: int, height: int) -> Box:
    w, h = box.x2 - box.x1, box.y2 - box.y1
    dx1, dy1, dx2, dy2 = rng.uniform(-share, share, 4)
    moved = Box(box.x1 + dx1 * w, box.y1 + dy1 * h, box.x2 + dx2 * w, box.y2 + dy2 * h).clipped(width, height)
    return box if moved.is_empty else moved


def _classes(
    masks: Floats, region: Box, target: BoolMask, anybody: BoolMask
) -> tuple[float | None, float, float | None]:
    truth = label_grid(region, target, anybody, masks.shape[1:])
    if len(masks) == 1:
        return None, iou(masks[0] > 0.5, truth == 1), None
    found = masks.argmax(axis=0)
    background, person, other = (iou(found == label, truth == label) for label in range(3))
    return background, person, other


def _size(mask: BoolMask) -> str:
    area = np.count_nonzero(mask)
    return "small" if area < 32**2 else "medium" if area < 96**2 else "large"
