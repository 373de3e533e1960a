"""Mean IoU per person at full resolution, by kind of case: the short answer that goes into a model's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.iou import iou
from hiseg_training.evaluation.scores import PersonScore, foreground_mask, score_photos
from hiseg_training.evaluation.summary import slices
from hiseg_training.inference.batches import predict_photos
from hiseg_training.inference.runner import Runner


@dataclass(frozen=True)
class Evaluation:
    """All people of a split, and the foreground IoU of its exhaustive images."""

    people: list[PersonScore]
    foreground: list[float]

    def summary(self) -> dict[str, float]:
        """Mean IoU of every slice that has people, by name, and the mean boundary IoU of all."""
        means = {name: float(np.mean([p.iou for p in members])) for name, members in slices(self.people).items()}
        means["boundary IoU"] = float(np.mean([p.boundary for p in self.people]))
        if self.foreground:
            means["foreground"] = float(np.mean(self.foreground))
        return means


def evaluate(photos: Sequence[Photo], runner: Runner, jitter: float = 0.0) -> Evaluation:
    """Score a model.

    Args:
        photos: a split.
        runner: the model; it is asked about one image at a time.
        jitter: each edge of each box is moved by a uniform share of its side up to this.
    """
    scores = score_photos(photos, runner, jitter)
    people = [person for score in scores for person in score.people]
    return Evaluation(people, [score.foreground for score in scores if score.foreground is not None])


def foreground_without_boxes(photos: Sequence[Photo], runner: Runner) -> float | None:
    """Mean foreground IoU of exhaustive photos where the model is told of no boxes; None if there are none."""
    whole = [photo for photo in photos if photo.exhaustive]
    found = [
        iou(
            foreground_mask(answer.foreground, whole[answer.index]),
            np.logical_or.reduce([person.mask() for person in whole[answer.index].people]),
        )
        for answer in predict_photos(whole, [[] for _ in whole], runner, 1)
    ]
    return float(np.mean(found)) if found else None
