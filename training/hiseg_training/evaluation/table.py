"""The figures of several models side by side, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
