"""Decodes brush masks with Label Studio's own converter.

python decode_brush.py CASES.json MASKS.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface.control_tags import BrushValue


def main(cases: str, masks: str) -> None:
    found = {}
    for index, case in enumerate(json.loads(Path(cases).read_text())):
        BrushValue(rle=case["rle"])
        found[str(index)] = decode_rle(case["rle"]).reshape(case["height"], case["width"], 4)[:, :, 3] > 0
    np.savez(masks, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
