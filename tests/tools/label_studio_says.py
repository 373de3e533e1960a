"""Asks Label Studio's own library what it makes of configurations and turned rectangles.

    python label_studio_says.py CASES.json SAID.json

CASES has ``configs``, texts, and ``rectangles``, each with what a region says of it. SAID has the labels of each
configuration's tags as results call them, and the corners of each rectangle in pixels.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from label_studio_sdk.converter.utils import convert_annotation_to_yolo_obb
from label_studio_sdk.label_interface import LabelInterface


def main(cases: str, said: str) -> None:
    asked = json.loads(Path(cases).read_text())
    labels = []
    for config in asked["configs"]:
        interface = LabelInterface(config)
        labels.append({control.name: list(control.labels or []) for control in interface.controls})
    corners = [convert_annotation_to_yolo_obb(rectangle, normalize=False) for rectangle in asked["rectangles"]]
    Path(said).write_text(json.dumps({"labels": labels, "corners": corners}))


if __name__ == "__main__":
    main(*sys.argv[1:])
