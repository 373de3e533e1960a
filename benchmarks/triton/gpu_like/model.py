"""A model for Triton's Python backend that only takes time, per batch and per person, as its configuration says.

It stands for a GPU, which the measuring machines don't have. Copying tensors between server and model costs what it
costs any model in Python; outputs that are not requested cost nothing.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

MASK_SIZE = (128, 96)


class TritonPythonModel:
    """Everybody has the shape of an ellipse; the foreground is one half everywhere."""

    def initialize(self, args: dict[str, str]) -> None:
        given = json.loads(args["model_config"])["parameters"]
        self.batch_s, self.person_s = (float(given[key]["string_value"]) / 1000 for key in ("batch_ms", "person_ms"))
        y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in MASK_SIZE)
        self.target = 4 * (1 - y[:, None] ** 2 - x[None, :] ** 2)

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self.answer(request) for request in requests]

    def answer(self, request: Any) -> Any:
        started = time.perf_counter()
        images, rois = (pb_utils.get_input_tensor_by_name(request, name) for name in ("images", "rois"))
        count, _, height, width = images.shape()
        people = rois.shape()[0]
        asked = request.requested_output_names()
        made = []
        for name in {"masks", "wide_masks"}.intersection(asked):
            masks = np.zeros((people, 3, *MASK_SIZE), dtype=np.float32)
            masks[:, 1] = self.target
            made.append(pb_utils.Tensor(name, masks))
        if "binary_masks" in asked:
            foreground = np.full((count, 1, height, width), 0.5, dtype=np.float32)
            made.append(pb_utils.Tensor("binary_masks", foreground))
        # What making the tensors took is part of the time: a GPU's kernels would have made them.
        time.sleep(max(0.0, self.batch_s + self.person_s * people - (time.perf_counter() - started)))
        return pb_utils.InferenceResponse(output_tensors=made)
