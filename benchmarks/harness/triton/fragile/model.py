"""A quick model for Triton's Python backend that keeps the tensor contract and crashes for one kind of image.

Each mask is its RoI's x1 + 1 everywhere and the foreground is the image's red channel, so that a test can recognise its
own rows. It stands for a model that certain batches crash, which the published models don't let themselves be.
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
