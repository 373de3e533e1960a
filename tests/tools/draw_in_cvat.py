"""Draws a box around a person in CVAT's editor, and one around nobody, and runs our function through CVAT's agent.

    python draw_in_cvat.py URL PHOTO BOX

Prints the points of both masks as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cvat_cli._internal.agent_driver_interaction as driver
import PIL.Image
from cvat_cli._internal.common import FunctionLoader

FUNCTION = Path(__file__).parents[2] / "service" / "hiseg" / "client" / "cvat.py"


def main(url: str, photo: str, box: str) -> None:
    function = FunctionLoader(None, FUNCTION, {"url": url}).load()
    fields = driver.AgentInteractionFunctionDriver.get_remote_function_fields(function.spec)
    assert fields
    image = PIL.Image.open(photo)
    found = []
    for x1, y1, x2, y2 in (json.loads(box), [5000, 5000, 5001, 5001]):
        prompts = driver._InteractionPromptsImpl(pos_points=(), neg_points=(), bounding_box=((x1, y1), (x2, y2)))
        shapes = function.detect(driver._InteractionFunctionContextImpl(), image, prompts)
        found.append(shapes[0].points if shapes else None)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
