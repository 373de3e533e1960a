"""Mean IoU per person at full resolution, by kind of case: the short answer that goes into a model's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.data.coco import Photo
from training.inference.runner import Predict, of_function
from training.validation.scores import PersonScore, score_photos
from training.validation.summary import slices


@dataclass(frozen=True)
class Evaluation:
    """All people of a split, and the foreground IoU of its exhaustive images."""

    people: list[PersonScore]
    foreground: list[float]

    def summary(self) -> dict[str, float]:
        """Mean IoU of every slice that has people, by name."""
        means = {name: float(np.mean([p.iou for p in members])) for name, members in slices(self.people).items()}
        if self.foreground:
            means["foreground"] = float(np.mean(self.foreground))
        return means


def evaluate(photos: Sequence[Photo], predict: Predict, jitter: float = 0.0) -> Evaluation:
    """Score a model.

    Args:
        photos: a split.
        predict: runs the model, on one image at a time.
        jitter: each edge of each box is moved by a uniform share of its side up to this.
    """
    scores = score_photos(photos, of_function(predict), jitter)
    people = [person for score in scores for person in score.people]
    return Evaluation(people, [score.foreground for score in scores if score.foreground is not None])
