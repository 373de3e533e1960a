"""The embedded engine: ONNX Runtime in this process, adapted to whatever contract-keeping file it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from service.canvas import Resize, Size
from service.domain import ModelRef
from service.engines.base import UNKNOWN_COST, Batch, Cost, ModelInfo, Prediction, margins
from service.engines.cores import available_cores

MASK_OUTPUTS = ("masks", "instance_masks")
FOREGROUND_OUTPUT = "binary_masks"
MS_PER_GMAC = 15.0
"""On two CPU cores; only the start of the cost model, which learns from every batch."""
SHAPELESS = {"CPUExecutionProvider", "AzureExecutionProvider"}
"""Providers that run a new shape as fast as a known one; the second runs no model of ours, but is always listed."""
ROI_COUNTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
"""The others, which are for GPUs, prepare themselves for each new shape."""


class ModelError(Exception):
    """The file isn't a model that keeps the tensor contract; the text says what is wrong."""


class OnnxEngine:
    """Runs one ONNX file; one batch at a time, off the event loop."""

    def __init__(self, path: Path, name: str, version: str, threads: int = 0) -> None:
        """Open the file and read what it says about itself.

        Args:
            path: the ``.onnx`` file.
            name: the model's name in the repository.
            version: its version there.
            threads: for one operator; 0 takes the cores this process may use.

        Raises:
            ModelError: it can't be opened, or doesn't keep the tensor contract.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        # Waiting threads that spin would take the cores from decoding and mask drawing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(path, options, providers=ort.get_available_providers())
        except Exception as error:
            raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error
        self._info, self._mask_output = describe(self._session, path, name, version)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"onnx-{name}")

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def slots(self) -> int:
        return 1

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return () if set(self._session.get_providers()) <= SHAPELESS else ROI_COUNTS

    async def infer(self, batch: Batch) -> Prediction:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.run, batch)

    def run(self, batch: Batch) -> Prediction:
        """Like :meth:`infer`, in the calling thread."""
        images = batch.images if self._info.takes_uint8 else batch.images.astype(np.float32) / 255
        masks, foreground = self._session.run(
            [self._mask_output, FOREGROUND_OUTPUT], {"images": images, "rois": batch.rois}
        )
        return Prediction(margins(masks), np.asarray(foreground[:, 0], dtype=np.float32))

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def describe(session: Any, path: Path, name: str, version: str) -> tuple[ModelInfo, str]:
    """What a session says about itself, and which of its outputs holds the masks.

    Files without our metadata (the seed's releases) are described by their shapes: the one static canvas,
    pictures stretched to it.

    Raises:
        ModelError: it doesn't keep the tensor contract.
    """
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    outputs = {tensor.name: tensor for tensor in session.get_outputs()}
    if set(inputs) != {"images", "rois"}:
        raise ModelError(f"{path}: inputs are {sorted(inputs)}, not images and rois")
    mask_output = next((output for output in MASK_OUTPUTS if output in outputs), None)
    if mask_output is None or FOREGROUND_OUTPUT not in outputs:
        raise ModelError(f"{path}: outputs are {sorted(outputs)}, not masks (or instance_masks) and binary_masks")
    dtype = inputs["images"].type
    if dtype not in ("tensor(uint8)", "tensor(float)"):
        raise ModelError(f"{path}: images are {dtype}, not uint8 or float")
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    info = ModelInfo(
        ref=ModelRef(name, version, metadata.get("variant", name.rpartition("_")[2])),
        canvases=_canvases(metadata, inputs["images"].shape, path),
        resize=Resize(metadata.get("resize", Resize.STRETCH)),
        mask_size=_mask_size(metadata, outputs[mask_output].shape),
        takes_uint8=dtype == "tensor(uint8)",
        seed=_seed(metadata),
        card={"bytes": path.stat().st_size} | {key: _value(metadata[key]) for key in sorted(metadata)},
    )
    return info, mask_output


def _canvases(metadata: Mapping[str, str], shape: list[int | str | None], path: Path) -> tuple[Size, ...]:
    if "canvases" in metadata:
        return tuple((int(height), int(width)) for height, width in json.loads(metadata["canvases"]))
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ModelError(f"{path}: the canvas is neither in its metadata nor in the shape of images ({shape})")
    return ((height, width),)


def _mask_size(metadata: Mapping[str, str], shape: list[Any]) -> Size:
    # Some exporters write static sizes as symbolic dimensions named "128".
    height, width = json.loads(metadata["mask_size"]) if "mask_size" in metadata else shape[2:]
    return int(height), int(width)


def _seed(metadata: Mapping[str, str]) -> Cost:
    if "gmac" not in metadata:
        return UNKNOWN_COST
    image, person = json.loads(metadata["gmac"])
    return Cost(UNKNOWN_COST.constant, image * MS_PER_GMAC, person * MS_PER_GMAC)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
