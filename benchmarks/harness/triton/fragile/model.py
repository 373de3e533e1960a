"""A model that keeps the contract, is quick, and dies with its process for one kind of picture. Run by Triton.

Each mask is its RoI's x1 + 1 everywhere, the foreground is the picture's red: whose rows are whose can be told. It
stands for a model that a batch can bring down, which ours doesn't let itself be.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from marks import CANCELLED, DEADLY, REFUSED, SLOW


class TritonPythonModel:
    """One instance."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request for itself."""
        return [self.answer(request) for request in requests]

    def answer(self, request: Any) -> Any:
        """Only what is asked for."""
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        images, rois = inputs["images"], inputs["rois"]
        first = images[0, 0, 0, 0]
        if first == DEADLY:
            os._exit(1)
        if first == SLOW:
            for _ in range(50):
                time.sleep(0.02)
                if request.is_cancelled():
                    pb_utils.Logger.log_info(CANCELLED)
                    return pb_utils.InferenceResponse(
                        error=pb_utils.TritonError(CANCELLED, pb_utils.TritonError.CANCELLED)
                    )
        if first == REFUSED:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("it can't stand this picture"))
        masks = np.zeros((len(rois), 3, 8, 6), dtype=np.float32)
        masks[:, 1] = rois[:, 1, None, None] + 1
        found = {"masks": masks, "binary_masks": images[:, :1].astype(np.float32) / 255}
        return pb_utils.InferenceResponse([pb_utils.Tensor(n, found[n]) for n in request.requested_output_names()])
