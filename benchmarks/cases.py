"""Measures the published models on kinds of cases that the annotations don't name: ``python -m benchmarks.cases``.

Darkness is measured. Who is seen from behind and who is a child was judged by eye once for ``val``: ``by_eye.json`` has
the numbers of these people in each photo's annotations, without doubtful ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.models import REPOSITORY
from hiseg.models.repository import stored_models
from hiseg_training.data.coco import Photo, data_root, read_split
from hiseg_training.evaluation.scores import PhotoScore, score_photos
from hiseg_training.evaluation.summary import slices
from hiseg_training.export.measure import open_cpu_runner

Place = tuple[int, int]
"""A photo's number and a person's in it."""
Judged = Mapping[str, Mapping[str, Sequence[int]]]

BY_EYE: Judged = json.loads(Path(__file__).with_name("by_eye.json").read_text())
AROUND = 1.6
"""Sides of a person's surroundings, as multiples of the box."""
DARK = 50.0
"""Mean luma (ITU-R BT.601, 0..255) of the surroundings below which a person is in the dark."""
SHOWN = ("all", "5 or more people", "overlapping boxes", "small", "dark", "from behind", "children")


def cases(photos: Sequence[Photo], scores: Sequence[PhotoScore], judged: Judged = BY_EYE) -> dict[str, list[Place]]:
    """People by kind of case: those of :func:`hiseg_training.evaluation.summary.slices`, and these."""
    places = {id(each): (number, k) for number, score in enumerate(scores) for k, each in enumerate(score.people)}
    kinds = {
        kind: [places[id(each)] for each in members]
        for kind, members in slices([each for score in scores for each in score.people]).items()
    }
    kinds["dark"] = [(number, k) for number, photo in enumerate(photos) for k in _in_the_dark(photo)]
    for kind, people in judged.items():
        kinds[kind] = [(number, k) for number, photo in enumerate(photos) for k in people.get(photo.path.name, ())]
    return kinds


def _in_the_dark(photo: Photo) -> list[int]:
    luma = cv2.cvtColor(photo.pixels(), cv2.COLOR_RGB2GRAY)
    found = []
    for k, person in enumerate(photo.people):
        x1, y1, x2, y2 = (round(v) for v in person.box.scaled(AROUND).clipped(photo.width, photo.height).as_tuple())
        if float(np.mean(luma[y1:y2, x1:x2])) < DARK:
            found.append(k)
    return found


def main() -> None:
    photos = read_split(data_root(), "val")
    runners = {model.name: open_cpu_runner(model.path) for model in stored_models(REPOSITORY)}
    scored = {name: score_photos(photos, runner) for name, runner in runners.items() if runner.has_masks}
    kinds = cases(photos, next(iter(scored.values())))
    print(f"| mean IoU on `val`, true boxes | people | {' | '.join(scored)} |\n|---|---:|{'---:|' * len(scored)}")
    for kind in SHOWN:
        means = [np.mean([scores[number].people[k].iou for number, k in kinds[kind]]) for scores in scored.values()]
        print(f"| {kind} | {len(kinds[kind])} | {' | '.join(f'{mean:.3f}' for mean in means)} |")


if __name__ == "__main__":
    main()
