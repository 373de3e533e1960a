"""Scores of many people -> the figures that are reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.average_precision import average_precision
from hiseg_training.evaluation.scores import PersonScore, PhotoScore

OVERLAPPING = 0.15
"""Share of a box that other boxes cover, from which on people count as overlapping."""
CLASSES = ("background", "target", "other people")
DETECTION = (0.5, 0.7)


def slices(people: Sequence[PersonScore]) -> dict[str, list[PersonScore]]:
    """People by kind of case; kinds without people are left out."""
    kinds: dict[str, Callable[[PersonScore], bool]] = {
        "all": lambda p: True,
        **{source: (lambda p, s=source: p.source == s) for source in sorted({p.source for p in people})},
        **{size: (lambda p, s=size: p.size == s) for size in ("small", "medium", "large")},
        "single person": lambda p: p.people == 1,
        "2 to 4 people": lambda p: 2 <= p.people <= 4,
        "5 or more people": lambda p: p.people >= 5,
        "overlapping boxes": lambda p: p.covered > OVERLAPPING,
    }
    found = {name: [p for p in people if belongs(p)] for name, belongs in kinds.items()}
    return {name: members for name, members in found.items() if members}


def summary(photos: Sequence[Photo], scores: Sequence[PhotoScore]) -> dict[str, Any]:
    """All figures, by name, as plain values.

    ``at_mask_resolution`` are the document's: IoU of each class within what each mask covers, averaged over people, 1
    where a class is neither there nor predicted; a detection rate is the share of people whose IoU is above.
    ``foreground`` is of exhaustively outlined photos, by photo: the document's figure for its binary UNet is the mean
    of both classes.
    """
    people = [person for score in scores for person in score.people]
    target = np.array([person.target for person in people])
    classes = {}
    for label, name in enumerate(CLASSES):
        known = [person.classes[label] for person in people]
        if None not in known:
            classes[f"{name}_miou".replace(" ", "_")] = float(np.mean(known))
    found: dict[str, Any] = {
        "people": len(people),
        "at_mask_resolution": classes | {f"detection_rate_{t}": float(np.mean(target > t)) for t in DETECTION},
        "at_full_resolution": {
            "miou": {name: float(np.mean([p.iou for p in members])) for name, members in slices(people).items()},
            "boundary_iou": {
                name: float(np.mean([p.boundary for p in members])) for name, members in slices(people).items()
            },
        },
    }
    whole = [s for s in scores if s.foreground is not None]
    if whole:
        person = float(np.mean([s.foreground for s in whole]))
        background = float(np.mean([s.background for s in whole]))
        both = {"mean_of_background_and_person_iou": (person + background) / 2}
        found["foreground"] = {"person_iou": person, "background_iou": background} | both
        found["coco_mask_ap_given_boxes"] = average_precision(photos, scores)
    return found


TITLES = {
    "at_mask_resolution": "In each RoI, at the masks' resolution",
    "at_full_resolution": "Each person, at full resolution",
    "foreground": "Foreground, by photo",
    "coco_mask_ap_given_boxes": "COCO mask AP, the boxes given",
}


def markdown(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown tables, for each way of giving boxes: one column a model, one row a figure.

    Args:
        reports: model's name -> name of the boxes -> what :func:`~hiseg_training.evaluation.summary.summary` found.
    """
    parts = []
    for boxes, first in next(iter(reports.values())).items():
        parts += [f"## {boxes[0].upper()}{boxes[1:]}, {first['people']:,} people", ""]
        for group, title in TITLES.items():
            columns = {name: _rows(report[boxes].get(group, {})) for name, report in reports.items()}
            names = list(dict.fromkeys(row for column in columns.values() for row in column))
            if names:
                parts += [f"| {title} | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
                parts += [f"| {n} | " + " | ".join(c.get(n, "–") for c in columns.values()) + " |" for n in names]
                parts.append("")
    return "\n".join(parts)


def _rows(group: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for name, value in group.items():
        if isinstance(value, Mapping):
            rows |= {f"{_words(name)}: {kind}": f"{part:.4f}" for kind, part in value.items()}
        else:
            rows[_words(name)] = f"{value:.4f}"
    return rows


def _words(name: str) -> str:
    return name.replace("_", " ").replace("miou", "mIoU").replace("iou", "IoU")
