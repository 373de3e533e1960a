"""Summarises the scores of many people into reported figures, and lays out several models' figures side by side.

Figures at mask resolution are defined as in PINTO0309's human-instance-segmentation ("upstream").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.average_precision import average_precision
from hiseg_training.evaluation.scores import PersonScore, PhotoScore

OVERLAPPING = 0.15
"""Share of a box that other boxes cover, above which a person counts as overlapping."""
CLASSES = ("background", "target", "other people")
DETECTION = (0.5, 0.7)


def slices(people: Sequence[PersonScore]) -> dict[str, list[PersonScore]]:
    """Group people by kind of case: data set if there are several, size, number of people, overlap; none is empty."""
    sources = sorted({person.source for person in people})
    kinds: dict[str, Callable[[PersonScore], bool]] = {
        "all": lambda p: True,
        **{source: partial(_is_from, source) for source in sources if len(sources) > 1},
        **{size: partial(_has_size, size) for size in ("small", "medium", "large")},
        "single person": lambda p: p.people == 1,
        "2 to 4 people": lambda p: 2 <= p.people <= 4,
        "5 or more people": lambda p: p.people >= 5,
        "overlapping boxes": lambda p: p.covered > OVERLAPPING,
    }
    found = {name: [p for p in people if belongs(p)] for name, belongs in kinds.items()}
    return {name: members for name, members in found.items() if members}


def _is_from(source: str, person: PersonScore) -> bool:
    return person.source == source


def _has_size(size: str, person: PersonScore) -> bool:
    return person.size == size


def summary(photos: Sequence[Photo], scores: Sequence[PhotoScore]) -> dict[str, Any]:
    """Return all figures by name, as plain values for JSON.

    ``at_mask_resolution`` has upstream's figures: the IoU of each class within each mask's region, averaged over
    people, 1 where a class is neither there nor predicted; a detection rate is the share of people whose IoU is above
    that value. ``foreground`` averages over exhaustively outlined photos; upstream's figure for its binary UNet is
    the mean of both classes.

    Args:
        photos: the photos that were scored.
        scores: of each photo; without people in any, as of a model without masks, there are the foreground's alone.
    """
    people = [person for score in scores for person in score.people]
    found: dict[str, Any] = {"people": len(people)} | (_of_people(people) if people else {})
    whole = [(s.foreground, s.background) for s in scores if s.foreground is not None and s.background is not None]
    if whole:
        person, background = (float(value) for value in np.mean(whole, axis=0))
        both = {"mean_of_background_and_person_iou": (person + background) / 2}
        found["foreground"] = {"person_iou": person, "background_iou": background} | both
        if people:
            found["coco_mask_ap_given_boxes"] = average_precision(photos, scores)
    return found


def _of_people(people: Sequence[PersonScore]) -> dict[str, Any]:
    """The figures of people's masks, by name."""
    target = np.array([person.target for person in people])
    classes = {}
    for label, name in enumerate(CLASSES):
        known = [value for person in people if (value := person.classes[label]) is not None]
        if len(known) == len(people):
            classes[f"{name}_miou".replace(" ", "_")] = float(np.mean(known))
    return {
        "at_mask_resolution": classes | {f"detection_rate_{t}": float(np.mean(target > t)) for t in DETECTION},
        "at_full_resolution": {
            "miou": {name: float(np.mean([p.iou for p in members])) for name, members in slices(people).items()},
            "boundary_iou": {
                name: float(np.mean([p.boundary for p in members])) for name, members in slices(people).items()
            },
        },
    }


TITLES = {
    "at_mask_resolution": "In each RoI, at the masks' resolution",
    "at_full_resolution": "Each person, at full resolution",
    "foreground": "Foreground, by photo",
    "coco_mask_ap_given_boxes": "COCO mask AP, the boxes given",
}


def markdown(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Format Markdown tables, one for each kind of boxes and group of figures: a column a model, a row a figure.

    Args:
        reports: model name -> kind of boxes -> the result of :func:`summary`.
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
    """Flatten a group of figures into labels and formatted values."""
    rows: dict[str, str] = {}
    for name, value in group.items():
        if isinstance(value, Mapping):
            rows |= {f"{_words(name)}: {kind}": f"{part:.4f}" for kind, part in value.items()}
        else:
            rows[_words(name)] = f"{value:.4f}"
    return rows


def _words(name: str) -> str:
    """Return a figure's key as a label for people."""
    return name.replace("_", " ").replace("miou", "mIoU").replace("iou", "IoU")
