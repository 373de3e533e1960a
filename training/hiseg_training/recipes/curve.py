"""Reads a run's TensorBoard logs into score and loss curves, and plots them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

ORANGE, BLUE, GREEN, GREY = "#e8a33d", "#2a78b8", "#3c8d40", "#666666"
MOST_COLUMNS = 5


@dataclass(frozen=True)
class RunCurve:
    """The scores and loss of a run, epoch by epoch.

    Attributes:
        steps: optimiser steps at the end of each epoch.
        scores: the validation score after each epoch, 0..1.
        fits: the score on a fixed part of the training data after each epoch, 0..1.
        losses: the mean training loss of each epoch.
        minutes: duration: number of epochs times the median epoch, so that interruptions do not count.
    """

    steps: Sequence[int]
    scores: Sequence[float]
    fits: Sequence[float]
    losses: Sequence[float]
    minutes: float

    @property
    def best(self) -> float:
        """The best score of all epochs."""
        return max(self.scores)

    @property
    def fit(self) -> float:
        """The score on the training data in the best epoch."""
        return self.fits[self.scores.index(self.best)]


def read_curve(logs: Path) -> RunCurve:
    """Read the curve of a run from its ``logs/``; a resumed run has several files there.

    Raises:
        ValueError: no epoch was finished.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from hiseg_training.engine.task import FIT, SCORE

    events: Any = EventAccumulator(str(logs), size_guidance={"scalars": 0})
    events.Reload()
    if SCORE not in events.Tags()["scalars"]:
        raise ValueError(f"{logs}: no epoch was finished")
    # A run that was killed within an epoch repeated that epoch: the later one counts.
    scores = {event.step: event for event in events.Scalars(SCORE)}
    fits, losses = ({event.step: event.value for event in events.Scalars(name)} for name in (FIT, "train/total"))
    moments = sorted(event.wall_time for event in scores.values())
    gaps = [after - before for before, after in pairwise(moments)]
    steps = sorted(scores)
    return RunCurve(
        steps,
        [scores[step].value for step in steps],
        [fits[step] for step in steps],
        [losses.get(step, float("nan")) for step in steps],
        len(steps) * median(gaps) / 60 if gaps else 0.0,
    )


def save_curves(curves: Mapping[str, RunCurve], path: Path) -> None:
    """Write a PNG that plots each run's scores and loss over the steps, side by side, by title."""
    columns = min(len(curves), MOST_COLUMNS)
    rows = ceil(len(curves) / columns)
    figure = Figure(figsize=(1.4 + 4.2 * columns, 3.4 * rows), dpi=100, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for empty in panels[len(curves) :]:
        empty.set_axis_off()
    for score, (title, curve) in zip(panels[: len(curves)], curves.items(), strict=True):
        loss = score.twinx()
        loss.plot(curve.steps, curve.losses, color=ORANGE, linewidth=1.5)
        score.plot(curve.steps, curve.scores, color=BLUE, linewidth=2, label="on val")
        score.plot(curve.steps, curve.fits, color=GREEN, linewidth=2, label="on a part of train")
        score.legend(loc="lower right", fontsize=8)
        score.set_title(f"{title}: {curve.best:.3f} at best", loc="left", fontsize=11)
        score.set_xlabel("steps", color=GREY)
        score.set_ylabel("mean IoU", color=BLUE)
        loss.set_ylabel("loss on train", color=ORANGE)
        if max(curve.losses) > 10 * min(curve.losses):
            loss.set_yscale("log")
        score.grid(True, color="#e6e6e6", linewidth=0.8)
        for axes in (score, loss):
            axes.spines["top"].set_visible(False)
            axes.tick_params(colors=GREY)
        # Draw the score on top of the loss.
        score.set_zorder(loss.get_zorder() + 1)
        score.patch.set_visible(False)
    figure.savefig(path)
