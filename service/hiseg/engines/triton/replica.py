"""One version of a model on one server: a batch's tensors go there, and its rows come back."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.core.image import Floats
from hiseg.core.result import ModelRef
from hiseg.engines.base import Batch, Prediction, RequestedOutputs, logit_margins, no_foreground, no_logit_margins
from hiseg.engines.contract import FOREGROUND_OUTPUT, IMAGES, ROIS
from hiseg.engines.triton.connection import Described
from hiseg.engines.triton.failures import CallFailed, Kind, call_failed
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.regions import Region

NOBODY: Floats = np.zeros((1, 5), dtype=np.float32)
"""A RoI without area. ONNX Runtime 1.19 (Triton 24.10) fails on models that pool nothing at all."""
ALIGNMENT = 64
LONGEST_S = 60.0
"""For a batch whose callers named no deadline."""


class Replica:
    """Sends batches; knows nothing of other servers.

    Args:
        client: the server.
        described: what the version is.
        pool: the server's shared memory.
    """

    def __init__(self, client: InferenceServerClient, described: Described, pool: Pool) -> None:
        self.described = described
        self._client = client
        self._pool = pool

    @property
    def ref(self) -> ModelRef:
        """What answers."""
        return self.described.info.ref

    async def infer(self, batch: Batch) -> Prediction:
        """Run one batch.

        Raises:
            CallFailed: it failed.
        """
        deadline = batch.meta.deadline
        left = LONGEST_S if deadline is None else min(LONGEST_S, deadline - time.monotonic())
        if left <= 0:
            raise CallFailed(Kind.LATE, "its deadline passed before it was sent")
        images = batch.images if self.described.info.takes_uint8 else batch.images.astype(np.float32) / 255
        if len(batch.rois) and not 0 <= batch.rois[:, 0].min() <= batch.rois[:, 0].max() < len(images):
            raise ValueError("a RoI belongs to no image of its batch")  # ONNX Runtime 1.19 would make up an answer
        rois = batch.rois if len(batch.rois) else NOBODY
        inputs, sizes = {IMAGES: images, ROIS: rois}, self._output_bytes(batch, len(rois))
        size = sum(map(_aligned, (images.nbytes, rois.nbytes, *sizes.values())))
        region = await self._pool.take(size)
        try:
            arrays = await self._call(inputs, sizes, region, left, batch.meta.traceparent)
            prediction = self._prediction(arrays, batch, len(rois))
        except InferenceServerException as error:
            if region:
                self._pool.retire(region)
            raise call_failed(error) from error
        except BaseException:
            if region:
                self._pool.retire(region)
            raise
        if region:
            self._pool.give(region)
        return prediction

    def _output_bytes(self, batch: Batch, rois: int) -> dict[str, int]:
        """Outputs that are wanted, and how large they will be."""
        requested, sizes = batch.meta.requested, {}
        if RequestedOutputs.MASKS in requested:
            sizes[self.described.mask_output] = (
                4 * rois * self.described.channels * math.prod(self.described.info.mask_size)
            )
        if RequestedOutputs.FOREGROUND in requested:
            sizes[FOREGROUND_OUTPUT] = 4 * len(batch.images) * math.prod(batch.images.shape[2:])
        return sizes

    async def _call(
        self, arrays: dict[str, Any], sizes: dict[str, int], region: Region | None, left_s: float, traceparent: str
    ) -> dict[str, Floats]:
        """Outputs by name; in shared memory they are views of the region."""
        inputs, outputs, at = [], [], 0
        offsets = {}
        for name, array in arrays.items():
            tensor = InferInput(name, list(array.shape), "UINT8" if array.dtype == np.uint8 else "FP32")
            if region:
                region.bytes[at : at + array.nbytes].view(array.dtype).reshape(array.shape)[...] = array
                tensor.set_shared_memory(region.name, array.nbytes, at)
                at += _aligned(array.nbytes)
            else:
                tensor.set_data_from_numpy(np.ascontiguousarray(array))
            inputs.append(tensor)
        for name, size in sizes.items():
            output = InferRequestedOutput(name)
            if region:
                offsets[name] = at
                output.set_shared_memory(region.name, size, at)
                at += _aligned(size)
            outputs.append(output)
        result: InferResult = await self._client.infer(
            self.ref.name,
            inputs,
            model_version=self.ref.version,
            outputs=outputs,
            client_timeout=left_s,
            headers={"traceparent": traceparent} if traceparent else None,
        )
        if region is None:
            return {name: result.as_numpy(name) for name in sizes}
        found = {}
        for name, at in offsets.items():
            shape = list(result.get_output(name).shape)
            found[name] = region.bytes[at : at + 4 * math.prod(shape)].view(np.float32).reshape(shape)
        return found

    def _prediction(self, arrays: dict[str, Floats], batch: Batch, rois: int) -> Prediction:
        """A copy: the region is somebody else's next."""
        masks, foreground = arrays.get(self.described.mask_output), arrays.get(FOREGROUND_OUTPUT)
        info, images = self.described.info, len(batch.images)
        if (masks is not None and len(masks) != rois) or (foreground is not None and len(foreground) != images):
            raise CallFailed(Kind.FAULT, f"{images} images and {rois} RoIs gave other numbers of rows")
        return Prediction(
            no_logit_margins(info.mask_size) if masks is None else logit_margins(masks)[: len(batch.rois)],
            no_foreground(images) if foreground is None else np.array(foreground[:, 0], dtype=np.float32),
            self.ref,
            info.crop_scale,
        )


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
