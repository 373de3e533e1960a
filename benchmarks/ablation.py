"""Measures what each choice of ``recipes/ablation.toml`` is worth: ``python -m benchmarks.ablation FOLDER``.

Each run is compared person by person at full resolution with the recipe's first run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiseg.core.image import Floats
from hiseg_training.data.coco import Photo, data_root, read_split
from hiseg_training.evaluation.evaluate import JITTER, evaluate
from hiseg_training.inference.runner import Runner, open_runner
from hiseg_training.recipes.curve import RunCurve
from hiseg_training.recipes.follow import BEST, follow
from hiseg_training.recipes.plan import Step, read_plan

RECIPE = Path("training/hiseg_training/recipes/ablation.toml")
CASES = (("val", 0.0), ("val", JITTER), ("ood", 0.0))
"""Splits, and by how much edges of boxes are off."""


@dataclass(frozen=True)
class Found:
    """IoU of each person, in the split's order; one array for each of ``CASES``."""

    ious: Sequence[Floats]

    def against(self, other: Found) -> list[str]:
        """Points more than ``other``'s on average, with the standard error of people's differences."""
        said = []
        for ours, theirs in zip(self.ious, other.ious, strict=True):
            points = 100 * (ours - theirs)
            said.append(f"{points.mean():+.1f} ± {points.std() / np.sqrt(len(points)):.1f}")
        return said


def measure(runner: Runner, photos: dict[str, list[Photo]]) -> Found:
    """Ask a model about all of ``CASES``."""
    people = [evaluate(photos[split], runner, jitter).people for split, jitter in CASES]
    return Found([np.array([person.iou for person in each]) for each in people])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the recipe's --output; runs that are missing are made")
    folder: Path = parser.parse_args().folder
    plan = read_plan(RECIPE)
    courses = follow(plan, folder, print)
    photos = {split: read_split(data_root(), split) for split, _ in CASES}
    columns = [f"`{split}`, {'loose' if jitter else 'true'} boxes" for split, jitter in CASES]
    print(f"\n| run | | steps | {' | '.join(columns)} |\n|---|---|---:|{'---:|' * len(columns)}")
    first, *others = plan.step
    plain = measure(open_runner(best(folder, first)), photos)
    print(row(first, courses, [f"{ious.mean():.3f}" for ious in plain.ious]), flush=True)
    for step in others:
        print(row(step, courses, measure(open_runner(best(folder, step)), photos).against(plain)), flush=True)


def best(folder: Path, step: Step) -> Path:
    """A step's best checkpoint."""
    (path,) = (folder / step.name).glob(BEST)
    return path


def row(step: Step, courses: dict[str, RunCurve], figures: Sequence[str]) -> str:
    """Of a table in Markdown."""
    return f"| {step.name} | {step.why} | {courses[step.name].steps[-1] + 1:,} | {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
