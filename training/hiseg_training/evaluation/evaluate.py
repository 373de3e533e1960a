"""The figures of a model's card: mean IoU per person at full resolution, by kind of case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.iou import iou
from hiseg_training.evaluation.scores import PersonScore, score_photos
from hiseg_training.evaluation.summary import slices
from hiseg_training.inference.batches import predict_photos
from hiseg_training.inference.masks import foreground
from hiseg_training.inference.runner import Runner

JITTER = 0.1
"""Largest shift of a loose box's edges in published figures, as a share of the box's side."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of a data set.

    Attributes:
        people: the scores of each person.
        foreground: the foreground IoU, 0..1, of each exhaustively outlined photo.
    """

    people: list[PersonScore]
    foreground: list[float]

    def summary(self) -> dict[str, float]:
        """Return the mean IoU of every slice that has people, the mean boundary IoU and foreground IoU, by name."""
        means = {name: float(np.mean([p.iou for p in members])) for name, members in slices(self.people).items()}
        means["boundary IoU"] = float(np.mean([p.boundary for p in self.people]))
        if self.foreground:
            means["foreground"] = float(np.mean(self.foreground))
        return means


def evaluate(photos: Sequence[Photo], runner: Runner, jitter: float = 0.0) -> Evaluation:
    """Score a model on photos, one photo at a time.

    Args:
        photos: photos whose people all have a mask.
        runner: the model.
        jitter: largest shift of each box edge, as a share of the box's side.
    """
    scores = score_photos(photos, runner, jitter)
    people = [person for score in scores for person in score.people]
    return Evaluation(people, [score.foreground for score in scores if score.foreground is not None])


def foreground_without_boxes(photos: Sequence[Photo], runner: Runner) -> float | None:
    """Return the mean foreground IoU where the model is given no boxes.

    Args:
        photos: of which those count whose people all have an outline; None is returned if there are none.
        runner: the model; None is returned if it predicts masks alone.
    """
    if not runner.has_foreground:
        return None
    whole = [photo for photo in photos if photo.exhaustive]
    found = [
        iou(
            np.asarray(foreground(prediction) > 0.5),
            np.logical_or.reduce([person.mask() for person in whole[prediction.index].people]),
        )
        for prediction in predict_photos(whole, [[] for _ in whole], runner, 1)
    ]
    return float(np.mean(found)) if found else None
