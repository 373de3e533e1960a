"""Checks a backend's predictions against a labelling configuration with Label Studio's own library, and decodes them.

python read_prediction.py CONFIG.xml ANSWER.json MASKS.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import PredictionValue


def main(config: str, answer: str, masks: str) -> None:
    interface = LabelInterface(Path(config).read_text())
    (prediction,) = json.loads(Path(answer).read_text())["results"]
    errors = interface.validate_prediction(prediction, return_errors=True)
    assert not errors, errors
    assert PredictionValue.model_validate(prediction).result
    found = {
        str(index): decode_rle(region["value"]["rle"]).reshape(region["original_height"], region["original_width"], 4)[
            :, :, 3
        ]
        > 0
        for index, region in enumerate(prediction["result"])
    }
    np.savez(masks, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
