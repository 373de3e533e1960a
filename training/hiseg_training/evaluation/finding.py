"""Measures a finder: AP of boxes and recall of large people by pycocotools, and finds where nobody is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from hiseg.core.image import Floats
from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.average_precision import HALF, coco_index
from hiseg_training.losses.assignment import pair_iou

LARGE = 3
"""Index of people of over 96 x 96 pixels in pycocotools' area ranges."""
THRESHOLDS = (0.3, 0.4, 0.5)
"""Scores from which on a find counts where there is nobody."""


class Finds(NamedTuple):
    """What a finder found in a photo.

    Attributes:
        boxes: float ``[n, 4]`` of ``x1 y1 x2 y2``, in pixels of the photo.
        scores: float 0..1 ``[n]``.
    """

    boxes: Floats
    scores: Floats


def suppress(scores: torch.Tensor, boxes: torch.Tensor, least_score: float, most_iou: float, most: int) -> torch.Tensor:
    """Greedy non-maximum suppression, as ONNX's operator has it.

    Args:
        scores: float ``[N]``.
        boxes: float ``[N, 4]``.
        least_score: boxes of this score and less are left out.
        most_iou: a box of higher IoU with one of a higher score is left out.
        most: boxes to keep.

    Returns:
        Indices of the boxes that are kept, the highest score first, int64 ``[n]``.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] > least_score]
    overlaps = pair_iou(boxes[order], boxes[order]) > most_iou
    kept: list[int] = []
    alive = torch.ones(len(order), dtype=torch.bool, device=scores.device)
    for place in range(len(order)):
        if len(kept) == most:
            break
        if alive[place]:
            kept.append(place)
            alive &= ~overlaps[place]
    return order[kept]


def box_precision(photos: Sequence[Photo], finds: Sequence[Finds]) -> dict[str, float]:
    """AP, AP50 and the recall of large people at IoU .5, 0..1 by name, over photos in which everybody is annotated.

    Sizes are those of people's outlines as annotated, in pixels of the photo; at most 100 finds a photo count.
    """
    truths: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for index, (photo, finds_here) in enumerate(zip(photos, finds, strict=True)):
        for person in photo.people:
            x1, y1, x2, y2 = person.box.as_tuple()
            area = person.area if person.rle is None else float(coco_mask.area(person.rle))
            row = {"id": len(truths) + 1, "image_id": index, "category_id": 1, "iscrowd": 0}
            truths.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": area})
        for (x1, y1, x2, y2), score in zip(finds_here.boxes.tolist(), finds_here.scores.tolist(), strict=True):
            sides = (x2 - x1, y2 - y1)
            row = {"id": len(found) + 1, "image_id": index, "category_id": 1, "score": score}
            found.append(row | {"bbox": [x1, y1, *sides], "area": sides[0] * sides[1], "iscrowd": 0})
    if not found or not truths:
        return {"AP": 0.0, "AP50": 0.0, "recall of large": 0.0}
    images = [{"id": index, "height": photo.height, "width": photo.width} for index, photo in enumerate(photos)]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco_index(images, truths), coco_index(images, found), "bbox")
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"][:, :, 0, 0, 0], evaluation.eval["recall"][HALF, 0, LARGE, 0]
    return {
        "AP": float(precision.mean()),
        "AP50": float(precision[HALF].mean()),
        "recall of large": max(0.0, float(recall)),
    }


def false_finds(finds: Sequence[Finds]) -> dict[float, float]:
    """Finds a photo where there is nobody, by the score from which on they count; empty without photos."""
    if not finds:
        return {}
    scores = np.concatenate([each.scores for each in finds])
    return {threshold: float((scores >= threshold).sum() / len(finds)) for threshold in THRESHOLDS}
