"""COCO's mask AP by pycocotools, for models that are given ground-truth boxes.

Each person has exactly one prediction and there are no false positives: AP says how many masks are good enough at IoU
.5 to .95, and whether those with a higher score are better. It is higher than a detector's AP, and not comparable.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.scores import PhotoScore

AREAS = ("all", "small", "medium", "large")
"""Area ranges, in pycocotools' order."""
HALF, THREE_QUARTERS = 0, 5
"""Indices of IoU .5 and .75 in pycocotools' thresholds."""


def average_precision(photos: Sequence[Photo], scores: Sequence[PhotoScore]) -> dict[str, float]:
    """Return AP over the exhaustively outlined photos: overall, at IoU .5 and .75, and by COCO's sizes.

    Args:
        photos: with their outlined people.
        scores: of each photo.

    Returns:
        AP, 0..1, by name, without sizes that nobody has; empty if no photo is exhaustive.
    """
    truths: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    known = [index for index, photo in enumerate(photos) if photo.exhaustive]
    for index in known:
        for person, score in zip(photos[index].people, scores[index].people, strict=True):
            row: dict[str, object] = {"id": len(truths) + 1, "image_id": index, "category_id": 1}
            area = float(coco_mask.area(person.rle))
            truths.append(row | {"segmentation": person.rle, "area": area, "iscrowd": 0})
            area = float(coco_mask.area(score.rle))
            found.append(row | {"segmentation": score.rle, "area": area, "score": score.confidence})
    if not truths:
        return {}
    images = [{"id": index, "height": photos[index].height, "width": photos[index].width} for index in known]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco_index(images, truths), coco_index(images, found), "segm")
        evaluation.params.maxDets = [max(len(photos[index].people) for index in known)]
        evaluation.evaluate()
        evaluation.accumulate()
    # Axes: IoU thresholds, recalls, categories, areas, numbers of detections; -1 where there is nobody.
    precision = evaluation.eval["precision"][:, :, 0, :, 0]
    every = {"AP": precision[:, :, 0], "AP50": precision[HALF, :, 0], "AP75": precision[THREE_QUARTERS, :, 0]}
    every |= {f"AP {area}": precision[:, :, index] for index, area in enumerate(AREAS) if index}
    return {name: float(np.mean(values)) for name, values in every.items() if values.min() >= 0}


def coco_index(images: list[dict[str, int]], rows: list[dict[str, object]]) -> COCO:
    """Build pycocotools' index of annotations in memory."""
    coco = COCO()
    coco.dataset = {
        "images": images,
        "annotations": rows,
        "categories": [{"id": 1, "name": "person"}],
    }
    coco.createIndex()
    return coco
