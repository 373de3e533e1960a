"""How a run went: what TensorBoard keeps of it, as a picture and as the few figures that a table needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

ORANGE, BLUE, GREY = "#e8a33d", "#2a78b8", "#666666"
MOST_COLUMNS = 5


@dataclass(frozen=True)
class RunCurve:
    """A run's.

    Attributes:
        steps: at which the score was measured, after each epoch.
        scores: then, 0..1.
        losses: the mean loss of those epochs.
        minutes: that it took: epochs times the median one, so that a break doesn't count.
    """

    steps: Sequence[int]
    scores: Sequence[float]
    losses: Sequence[float]
    minutes: float

    @property
    def best(self) -> float:
        return max(self.scores)


def read_curve(logs: Path) -> RunCurve:
    """What a run's ``logs/`` hold; those of a resumed run have several files.

    Raises:
        ValueError: no epoch was finished.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from hiseg_training.engine.task import SCORE

    events: Any = EventAccumulator(str(logs), size_guidance={"scalars": 0})
    events.Reload()
    if SCORE not in events.Tags()["scalars"]:
        raise ValueError(f"{logs}: no epoch was finished")
    # A run that was killed within an epoch did that one twice: the later one counts.
    scores = {event.step: event for event in events.Scalars(SCORE)}
    losses = {event.step: event.value for event in events.Scalars("train/total")}
    moments = sorted(event.wall_time for event in scores.values())
    gaps = [after - before for before, after in pairwise(moments)]
    steps = sorted(scores)
    return RunCurve(
        steps,
        [scores[step].value for step in steps],
        [losses.get(step, float("nan")) for step in steps],
        len(steps) * median(gaps) / 60 if gaps else 0.0,
    )


def save_curves(courses: Mapping[str, RunCurve], path: Path) -> None:
    """Write a PNG: of each run the score on ``val`` and the loss over the steps, side by side."""
    columns = min(len(courses), MOST_COLUMNS)
    rows = ceil(len(courses) / columns)
    figure = Figure(figsize=(1.4 + 4.2 * columns, 3.4 * rows), dpi=100, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for empty in panels[len(courses) :]:
        empty.set_axis_off()
    for score, (title, course) in zip(panels[: len(courses)], courses.items(), strict=True):
        loss = score.twinx()
        loss.plot(course.steps, course.losses, color=ORANGE, linewidth=1.5)
        score.plot(course.steps, course.scores, color=BLUE, linewidth=2)
        score.set_title(f"{title}: {course.best:.3f} at best", loc="left", fontsize=11)
        score.set_xlabel("steps", color=GREY)
        score.set_ylabel("mean IoU on val", color=BLUE)
        loss.set_ylabel("loss on train", color=ORANGE)
        if max(course.losses) > 10 * min(course.losses):
            loss.set_yscale("log")
        score.grid(True, color="#e6e6e6", linewidth=0.8)
        for axes in (score, loss):
            axes.spines["top"].set_visible(False)
            axes.tick_params(colors=GREY)
        # The score lies on top.
        score.set_zorder(loss.get_zorder() + 1)
        score.patch.set_visible(False)
    figure.savefig(path)
