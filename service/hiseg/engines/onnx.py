"""The embedded engine: ONNX Runtime in this process, adapted to whatever contract-keeping file it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.engines.base import (
    ROI_COUNTS,
    Batch,
    ModelInfo,
    Prediction,
    RequestedOutputs,
    logit_margins,
    no_foreground,
    no_logit_margins,
)
from hiseg.engines.contract import FOREGROUND_OUTPUT, IMAGES, ROIS, ModelError, ModelSignature, describe
from hiseg.engines.cores import available_cores
from hiseg.engines.runtime import SHARED_MEMORY, ort

TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
SHAPELESS = {"CPUExecutionProvider", "AzureExecutionProvider"}
"""Providers that run a new shape as fast as a known one; the second runs no model of ours, but is always listed."""

SHARERS = 2
"""Batches that share a CPU's threads at most: each holds memory of its own, and two leave next to no core idle."""


class OnnxEngine:
    """Runs one ONNX file, off the event loop.

    On a CPU a batch that is alone has all threads, and can't use them fully: the parts of an operator aren't all done
    at one moment, least of all where other programs want the cores too. So one that finds another inside runs on its
    share of them, in a session of its own.
    """

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
        threads = threads or available_cores()
        self._session = _open(path, threads)
        self._room = min(SHARERS, threads) if self._on_cpu else 1
        self._second = _open(path, threads // SHARERS) if self._room > 1 else self._session
        self._inside = 0
        info, self._mask_output = describe(spoken(self._session, path), name, version, "onnx")
        self._info = replace(info, card={"bytes": path.stat().st_size} | info.card)
        self._executor = ThreadPoolExecutor(self._room, thread_name_prefix=f"onnx-{name}")

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def slots(self) -> int:
        return 1

    @property
    def room(self) -> int:
        return self._room

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return () if self._on_cpu else ROI_COUNTS

    @property
    def _on_cpu(self) -> bool:
        return set(self._session.get_providers()) <= SHAPELESS

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        options = ort.RunOptions()
        session = self._second if self._inside else self._session
        self._inside += 1
        run = asyncio.get_running_loop().run_in_executor(self._executor, self._run, session, batch, options)
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            options.terminate = True
            await asyncio.wait([run])
            raise
        finally:
            self._inside -= 1

    def run(self, batch: Batch) -> Prediction:
        """Like :meth:`infer`, in the calling thread and with all threads."""
        return self._run(self._session, batch)

    def _run(self, session: Any, batch: Batch, options: ort.RunOptions | None = None) -> Prediction:
        images = batch.images if self._info.takes_uint8 else batch.images.astype(np.float32) / 255
        requested = batch.meta.requested
        outputs = [self._mask_output] if RequestedOutputs.MASKS in requested else []
        if RequestedOutputs.FOREGROUND in requested:
            outputs.append(FOREGROUND_OUTPUT)
        made = dict(zip(outputs, session.run(outputs, {IMAGES: images, ROIS: batch.rois}, options), strict=True))
        masks, foreground = made.get(self._mask_output), made.get(FOREGROUND_OUTPUT)
        return Prediction(
            no_logit_margins(self._info.mask_size) if masks is None else logit_margins(masks),
            no_foreground(len(images)) if foreground is None else np.asarray(foreground[:, 0], dtype=np.float32),
            self._info.ref,
            self._info.crop_scale,
        )

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._session = self._second = None  # their memory, while others may still hold the engine


def _open(path: Path, threads: int) -> Any:
    """A session of the file, with so many threads for one operator.

    Raises:
        ModelError: it can't be opened.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from decoding and mask drawing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(*SHARED_MEMORY)
    try:
        return ort.InferenceSession(path, options, providers=ort.get_available_providers())
    except Exception as error:
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error


def spoken(session: Any, path: Path) -> ModelSignature:
    """What an ONNX file says about itself."""
    tensors = [*session.get_inputs(), *session.get_outputs()]
    return ModelSignature(
        source=str(path),
        types={tensor.name: TYPES.get(tensor.type, tensor.type) for tensor in tensors},
        inputs={tensor.name: tensor.shape for tensor in session.get_inputs()},
        outputs={tensor.name: tensor.shape for tensor in session.get_outputs()},
        metadata=dict(session.get_modelmeta().custom_metadata_map),
    )
