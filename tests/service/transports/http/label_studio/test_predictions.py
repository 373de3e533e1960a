"""Masks are written as regions, and a rectangle with nobody in it gets none."""

from __future__ import annotations

import json

import numpy as np

from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.result import CropMask, Instance, ModelRef, Result
from hiseg.core.stop import NEVER
from hiseg.transports.http.label_studio.labelling import read_labelling
from hiseg.transports.http.label_studio.predictions import Prediction, failed
from hiseg.transports.http.label_studio.rectangles import ImageRectangles

LABELLING = read_labelling(
    '<View><Image name="i" value="$i"/><BrushLabels name="b" toName="i"><Label value="p"/></BrushLabels></View>', "x"
)
RECTANGLE = {"type": "rectanglelabels", "value": {"x": 1, "y": 1, "width": 50, "height": 50, "rectanglelabels": ["p"]}}


def result(*instances: Instance) -> Result:
    return Result(8, 4, ("a note of the image",), instances, None, ModelRef("m", "3", "b0"))


def test_boxes_with_nobody_in_them_get_no_region() -> None:
    somebody = Instance(Box(0, 0, 2, 2), CropMask(0, 0, np.ones((2, 2), np.bool_)), 0.5)
    nobody = Instance(Box(0, 0, 2, 2), CropMask.empty(), 0.0)
    drawn, _ = ImageRectangles("i", regions=[RECTANGLE] * 2).read()
    for instances, count, score in (((nobody, nobody), 0, 0), ((nobody, somebody), 1, 0.5)):
        prediction = Prediction(["a note of the task"])
        prediction.add(result(*instances), drawn, LABELLING.images["i"], 0, LABELLING, NEVER)
        found = json.loads(prediction.to_json())
        assert (len(found["result"]), found["score"]) == (count, score)
        assert found["notes"] == ["a note of the task", "a note of the image"]
        assert found["model_version"] == "m 3"


def test_what_stands_in_the_place_of_a_prediction() -> None:
    found = json.loads(failed(InvalidRequest("tasks[1]: no")))
    assert found == {"error": "tasks[1]: no", "reason": "INVALID_REQUEST", "score": 0, "result": []}
