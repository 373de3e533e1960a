"""Measures a file's quality and speed on ONNX Runtime's CPU provider, as they stand in ``metrics.json``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.models.random_inputs import random_rois
from hiseg_training.data.coco import Photo
from hiseg_training.data.skipped import Tell, silent
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.evaluate import JITTER, evaluate, foreground_without_boxes
from hiseg_training.inference.runner import Runner, open_onnx

THREADS = 2
TRUE_BOXES, LOOSE_BOXES = "ground truth boxes", f"boxes jittered by {JITTER:.0%}"
NO_BOXES = "foreground, no boxes told"


def open_cpu_runner(path: Path, threads: int = THREADS) -> Runner:
    """Open an exported file in ONNX Runtime on the CPU, as the service does."""
    return open_onnx(path, ["CPUExecutionProvider"], threads)


def measure(runner: Runner, splits: Mapping[str, Sequence[Photo]], tell: Tell = silent) -> dict[str, Any]:
    """Measure a model's quality beside the baselines'.

    Args:
        runner: the model.
        splits: the photos to measure on, by the names of their splits; everybody in them has an outline.
        tell: gets a line before each of them.

    Returns:
        The figures of each split; those of masks, and the baselines, only of a model that has masks.
    """
    quality: dict[str, Any] = {}
    for split, photos in splits.items():
        people = sum(len(photo.people) for photo in photos)
        tell(f"measuring on {split}: {people:,} people in {len(photos):,} images")
        found: dict[str, Any] = {"people": people, "images": len(photos), TRUE_BOXES: {}}
        if runner.has_masks:
            found[TRUE_BOXES] = evaluate(photos, runner).summary()
            found[LOOSE_BOXES] = evaluate(photos, runner, JITTER).summary()
            found["baselines"] = {name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()}
        alone = foreground_without_boxes(photos, runner)
        if alone is not None:
            found[TRUE_BOXES][NO_BOXES] = alone
        quality[split] = found
    return quality


def measured_headline(figures: Mapping[str, Any]) -> float | None:
    """Return the figure of :func:`headline` among those of :func:`measure` on one split."""
    of_true_boxes: Mapping[str, float] = figures[TRUE_BOXES]
    return of_true_boxes.get("all", of_true_boxes.get(NO_BOXES))


def headline(runner: Runner, photos: Sequence[Photo]) -> float | None:
    """Return the one figure of a model: mean IoU per person, or of a model without masks that of the foreground.

    None where no photo can tell, as in :func:`hiseg_training.evaluation.evaluate.foreground_without_boxes`.
    """
    if runner.has_masks:
        return evaluate(photos, runner).summary()["all"]
    return foreground_without_boxes(photos, runner)


def speed(
    runners: Mapping[str, Runner], people: Sequence[int] = (1, 4, 16), rounds: int = 15
) -> dict[str, dict[str, float]]:
    """Measure the median time of a run on one image of 640 x 640.

    Args:
        runners: the models, by name.
        people: numbers of RoIs to measure; of a model without masks an image is measured alone.
        rounds: runs for each number, of which the first is dropped.

    Returns:
        Milliseconds of each model, by number of people.
    """
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 3, 640, 640), dtype=np.uint8)
    times: dict[str, dict[str, list[float]]] = {name: {} for name in runners}
    for _ in range(rounds):
        # Interleaved, so that a slow moment of the machine falls on all of them.
        for count in people:
            rois = random_rois(rng, count)
            for name, runner in runners.items():
                case = ("1 person" if count == 1 else f"{count} people") if runner.has_masks else "any number of people"
                started = time.perf_counter()
                runner.predict(image, rois)
                times[name].setdefault(case, []).append((time.perf_counter() - started) * 1000)
    return {
        name: {case: round(statistics.median(spent[1:]), 1) for case, spent in cases.items()}
        for name, cases in times.items()
    }
