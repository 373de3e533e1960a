"""Compares the published models with baselines that need no model and with upstream's B0.

Run it by ``python -m benchmarks.models``. Upstream is PINTO0309's human-instance-segmentation. Quality is measured on
``val`` and ``ood``, with true boxes and with edges off by up to 10 %; time is measured on ONNX Runtime's CPU provider
with two threads, all files in turn, ``model.int8.onnx`` among them, so that a slow moment of the machine affects all of
them. The weights of upstream's B0 are random here: its row has no quality.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.upstream import export_upstream, multiply_adds
from hiseg.models.int8 import INT8_FILE
from hiseg.models.random_inputs import random_rois
from hiseg.models.repository import stored_models
from hiseg_training.data.coco import data_root, read_split
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.evaluate import JITTER, evaluate
from hiseg_training.export.measure import open_cpu_runner
from hiseg_training.export.onnx import read_metadata
from hiseg_training.inference.runner import Predict, Runner

REPOSITORY = Path("model_repository")
SPLITS = ("val", "ood")
PEOPLE, CANVAS, ROUNDS = (1, 16), (640, 640), 9
PAUSE_S = 0.2
"""Pause before each run: threads of the previous model spin for a while and would occupy the cores."""
UPSTREAM = "upstream's B0"


def files() -> dict[str, Path]:
    """All published files by what they are called here, that in INT8 after the other one of a model."""
    found = {}
    for model in stored_models(REPOSITORY):
        int8 = model.path.with_name(INT8_FILE)
        found |= {model.name: model.path} | ({f"{model.name}, INT8": int8} if int8.exists() else {})
    return found


def quality(runner: Runner) -> list[str]:
    """For each split: mean IoU with true boxes, mean IoU with loose boxes, boundary IoU with true boxes."""
    figures = []
    for split in SPLITS:
        photos = read_split(data_root(), split)
        true, loose = (evaluate(photos, runner, jitter).summary() for jitter in (0.0, JITTER))
        figures += [true["all"], loose["all"], true["boundary IoU"]]
    return [f"{figure:.3f}" for figure in figures]


def times(models: Mapping[str, Predict], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Median milliseconds of an image with one person and with 16, by model."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 3, *CANVAS), dtype=np.uint8)
    spent: dict[str, list[list[float]]] = {name: [[] for _ in PEOPLE] for name in models}
    for _ in range(rounds + 1):
        rois = [random_rois(rng, people) for people in PEOPLE]
        for name, predict in models.items():
            for place, given in enumerate(rois):
                time.sleep(PAUSE_S)
                started = time.perf_counter()
                predict(image, given)
                spent[name][place].append((time.perf_counter() - started) * 1000)
    # The first run of each model allocates memory and is left out.
    return {name: [statistics.median(ms[1:]) for ms in by] for name, by in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", action="store_true", help="measure time only")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="so many measurements of time")
    arguments = parser.parse_args()
    runners = {name: found for name, path in files().items() if (found := open_cpu_runner(path)).has_masks}
    paths = {name: path for name, path in files().items() if name in runners}
    costs = {name: json.loads(read_metadata(path)["gmac"]) for name, path in paths.items()}
    with tempfile.TemporaryDirectory() as folder:
        upstream = Path(folder) / "upstream.onnx"
        export_upstream(upstream)
        paths, costs = paths | {UPSTREAM: upstream}, costs | {UPSTREAM: multiply_adds(CANVAS)}
        timed = runners | {UPSTREAM: open_cpu_runner(upstream)}
        spent = times({name: each.predict for name, each in timed.items()}, arguments.rounds)
        sizes = {name: path.stat().st_size / 1e6 for name, path in paths.items()}
    print("| | ms, 1 person | ms, 16 people | ms a person more | faster by, 1 | faster by, 16 | MB | GMAC |")
    print(f"|---|{'---:|' * 7}")
    for name, (one, many) in spent.items():
        faster = [f"{theirs / ours:.1f} x" for theirs, ours in zip(spent[UPSTREAM], (one, many), strict=True)]
        image, person = costs[name]
        each = [f"{one:.1f}", f"{many:.0f}", f"{(many - one) / (PEOPLE[1] - PEOPLE[0]):.1f}", *faster]
        print(f"| {' | '.join([name, *each, f'{sizes[name]:.1f}', f'{image:.1f} + {person:.2f}'])} |", flush=True)
    if arguments.speed:
        return
    columns = [f"`{split}`, {what}" for split in SPLITS for what in ("true boxes", "loose boxes", "boundary IoU")]
    print(f"\n| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, runner in (runners | BASELINES).items():
        print(f"| {name} | {' | '.join(quality(runner))} |", flush=True)


if __name__ == "__main__":
    main()
