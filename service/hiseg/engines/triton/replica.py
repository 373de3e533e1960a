"""One version of a model on one server: sends the tensors of a batch there, and gets its rows back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.core.image import Floats
from hiseg.core.result import ModelRef
from hiseg.engines.base import (
    Batch,
    ModelInfo,
    Outputs,
    Prediction,
    logit_margins,
    no_boxes,
    no_foreground,
    no_logit_margins,
)
from hiseg.engines.contract import BOXES_OUTPUT, FOREGROUND_OUTPUT, IMAGES, ROIS
from hiseg.engines.triton.connection import ServedVersion
from hiseg.engines.triton.failures import CallFailed, FailureKind, classify
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.regions import Region

EMPTY_ROI: Floats = np.zeros((1, 5), dtype=np.float32)
"""A RoI without area, float32 ``[1, 5]``. ONNX Runtime 1.19 (Triton 24.10) fails on batches without any RoI."""
ALIGNMENT = 64
"""Tensors in a region begin at multiples of this many bytes."""
MAX_SECONDS = 60.0
"""Timeout of a batch without a deadline, or with a later one."""


class Replica:
    """Runs batches on one version of a model on one server.

    Args:
        client: client of the server.
        served: description of the version.
        pool: shared memory of the server.
    """

    def __init__(self, client: InferenceServerClient, served: ServedVersion, pool: Pool) -> None:
        self.served = served
        self._client = client
        self._pool = pool

    @property
    def ref(self) -> ModelRef:
        """Name, version and variant of the model."""
        return self.served.info.ref

    def gives(self, batch: Batch) -> bool:
        """Whether the version computes what is requested of a batch."""
        return batch.meta.requested in self.served.info.outputs

    async def infer(self, batch: Batch) -> Prediction:
        """Run one batch.

        Raises:
            CallFailed: the server didn't run it.
        """
        deadline = batch.meta.deadline
        left = MAX_SECONDS if deadline is None else min(MAX_SECONDS, deadline - time.monotonic())
        if left <= 0:
            raise CallFailed(FailureKind.TIMED_OUT, "its deadline passed before it was sent")
        images = batch.images if self.served.info.takes_uint8 else batch.images.astype(np.float32) / 255
        if len(batch.rois) and not 0 <= batch.rois[:, 0].min() <= batch.rois[:, 0].max() < len(images):
            raise ValueError("a RoI belongs to no image of its batch")  # ONNX Runtime 1.19 would invent a result
        rois = batch.rois if len(batch.rois) else EMPTY_ROI
        inputs = {IMAGES: images, ROIS: rois} if self.served.info.has_masks else {IMAGES: images}
        sizes = self._output_bytes(batch, len(rois))
        size = sum(map(_aligned, (*(tensor.nbytes for tensor in inputs.values()), *sizes.values())))
        region = await self._pool.acquire(size)
        try:
            of_any_size = [BOXES_OUTPUT] if Outputs.BOXES in batch.meta.requested else []
            arrays = await self._call(inputs, sizes, of_any_size, region, left, batch.meta.traceparent)
            prediction = self._prediction(arrays, batch, len(rois))
        except InferenceServerException as error:
            if region:
                self._pool.quarantine(region)
            raise classify(error) from error
        except BaseException:
            if region:
                self._pool.quarantine(region)
            raise
        if region:
            self._pool.release(region)
        return prediction

    def _output_bytes(self, batch: Batch, rois: int) -> dict[str, int]:
        """Bytes that each requested output will have at most, by name; of boxes nobody knows how many there are."""
        requested, sizes = batch.meta.requested, {}
        if Outputs.MASKS in requested and self.served.mask_output:
            sizes[self.served.mask_output] = 4 * rois * self.served.channels * math.prod(self.served.info.mask_size)
        if Outputs.FOREGROUND in requested:
            sizes[FOREGROUND_OUTPUT] = 4 * len(batch.images) * math.prod(batch.images.shape[2:])
        return sizes

    async def _call(
        self,
        arrays: dict[str, Any],
        sizes: dict[str, int],
        of_any_size: Sequence[str],
        region: Region | None,
        left_s: float,
        traceparent: str,
    ) -> dict[str, Floats]:
        """Run the model on the server.

        Args:
            arrays: inputs by name: uint8 ``[B, 3, H, W]`` or float32 images, float32 ``[N, 5]`` RoIs.
            sizes: most bytes of each requested output, by name.
            of_any_size: names of further outputs, which are small and go over the connection.
            region: shared memory for inputs and outputs; None: they go over the connection.
            left_s: timeout in seconds.
            traceparent: trace context of the call; empty: none.

        Returns:
            Outputs by name, float32 in the model's shapes; with shared memory they are views of the region.
        """
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
        outputs += map(InferRequestedOutput, of_any_size)
        result: InferResult = await self._client.infer(
            self.ref.name,
            inputs,
            model_version=self.ref.version,
            outputs=outputs,
            client_timeout=left_s,
            headers={"traceparent": traceparent} if traceparent else None,
        )
        if region is None:
            return {name: result.as_numpy(name) for name in (*sizes, *of_any_size)}
        found = {name: result.as_numpy(name) for name in of_any_size}
        for name, at in offsets.items():
            shape = list(result.get_output(name).shape)
            found[name] = region.bytes[at : at + 4 * math.prod(shape)].view(np.float32).reshape(shape)
        return found

    def _prediction(self, arrays: dict[str, Floats], batch: Batch, rois: int) -> Prediction:
        """The outputs as a prediction of ``batch``, copied, since the region is used for another call next.

        Args:
            arrays: outputs by name: masks ``[N, C, h, w]``, foreground ``[B, 1, h, w]``, boxes ``[M, 6]``.
            batch: the batch that was sent.
            rois: number of RoIs that were sent, at least 1.
        """
        masks, foreground = arrays.get(self.served.mask_output or ""), arrays.get(FOREGROUND_OUTPUT)
        info, images = self.served.info, len(batch.images)
        if (masks is not None and len(masks) != rois) or (foreground is not None and len(foreground) != images):
            raise CallFailed(FailureKind.MODEL_ERROR, f"{images} images and {rois} RoIs gave other numbers of rows")
        return Prediction(
            no_logit_margins(info.mask_size) if masks is None else logit_margins(masks)[: len(batch.rois)],
            no_foreground(images) if foreground is None else np.array(foreground[:, 0], dtype=np.float32),
            self.ref,
            info.crop_scale,
            np.array(arrays.get(BOXES_OUTPUT, no_boxes()), dtype=np.float32),
        )


class ReplicaEngine:
    """One replica as a :class:`hiseg.engines.base.Engine`, so that it can be tested before it is used."""

    slots = 1
    max_in_flight = 1
    roi_counts = ()

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def info(self) -> ModelInfo:
        return self._replica.served.info

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        return await self._replica.infer(batch)

    def close(self) -> None:
        pass


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
