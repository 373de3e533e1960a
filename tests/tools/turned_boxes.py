"""Writes a task's turned rectangles as Datumaro, the library that CVAT exports with, turns them.

    python turned_boxes.py CASES.json BOXES.json

CASES is a list of ``x y width height`` and degrees; BOXES has the box ``x y width height`` around each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datumaro.components.annotation import RotatedBbox


def main(cases: str, boxes: str) -> None:
    found = []
    for x, y, width, height, turn in json.loads(Path(cases).read_text()):
        found.append(RotatedBbox(x + width / 2, y + height / 2, width, height, turn).get_bbox())
    Path(boxes).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
