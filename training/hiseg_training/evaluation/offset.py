"""Finds the offset of a model's log-odds with which its masks fit best: neither too large nor too small throughout.

A model that learnt from loose boxes and from people pasted in front of others takes a little more for the person than
annotators do. One number mends that, and costs nothing when the model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hiseg.core.image import Floats, Pixels
from hiseg_training.config.model import TARGET
from hiseg_training.data.coco import Photo
from hiseg_training.data.skipped import Tell, silent
from hiseg_training.evaluation.evaluate import JITTER, evaluate
from hiseg_training.inference.runner import Runner

STEP, MOST = 0.1, 1.0
"""Distance between offsets that are tried, and the largest."""


class Fit(NamedTuple):
    """How well masks fit with an offset.

    Attributes:
        offset: what is added to the person's logits.
        miou: mean IoU per person with true boxes, 0..1.
        loose: likewise with loose boxes.
        boundary: mean boundary IoU with true boxes, 0..1.
    """

    offset: float
    miou: float
    loose: float
    boundary: float

    @property
    def score(self) -> float:
        """What is to be as high as possible, 0..1: the mean of the three figures."""
        return (self.miou + self.loose + self.boundary) / 3

    def __str__(self) -> str:
        figures = f"mean IoU {self.miou:.4f}, with loose boxes {self.loose:.4f}, boundary IoU {self.boundary:.4f}"
        return f"offset {self.offset:+.1f}: {figures}"


def with_offset(runner: Runner, offset: float) -> Runner:
    """The same model with an offset added to the logits of the person in each box."""

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats | None]:
        logits, foreground = runner.predict(images, rois)
        shifted = np.array(logits)
        shifted[:, TARGET] += offset
        return shifted, foreground

    return replace(runner, predict=predict)


def best_offset(runner: Runner, photos: Sequence[Photo], tell: Tell = silent) -> Fit:
    """Try offsets, each a step further from 0, as long as masks fit better.

    Args:
        runner: a model whose masks are logits.
        photos: whose people all have a mask.
        tell: gets a line for each offset that is tried.
    """

    def measure(step: int) -> Fit:
        model = with_offset(runner, step * STEP)
        true, loose = (evaluate(photos, model, jitter).summary() for jitter in (0.0, JITTER))
        fit = Fit(round(step * STEP, 1), true["all"], loose["all"], true["boundary IoU"])
        tell(str(fit))
        return fit

    return climb(measure, round(MOST / STEP))


def climb(measure: Callable[[int], Fit], most: int) -> Fit:
    """Go from step 0 to where the score is higher, first down and, if that is worse, up, until it falls or stays.

    Args:
        measure: of a step.
        most: steps in one direction, at most.
    """
    best = start = measure(0)
    for direction in (-1, 1):
        for step in range(1, most + 1):
            fit = measure(direction * step)
            if fit.score <= best.score:
                break
            best = fit
        if best is not start:
            break
    return best
