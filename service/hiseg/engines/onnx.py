"""The embedded engine: ONNX Runtime in this process, for any file that keeps the tensor contract.

All of the package gets ONNX Runtime from here: its telemetry must be switched off before it is loaded.
"""

from __future__ import annotations

import asyncio
import os
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

# From 1.29 on ONNX Runtime's Linux builds collect what they run, names and hashes of models among it, in a database in
# the home folder, and send it to their makers, unless this variable is set when the library is loaded; a call
# afterwards comes too late. Whoever wants it otherwise sets the variable to something else.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["PROVIDERS_FOR_ANY_SHAPE", "OnnxEngine", "ort", "read_signature"]

SHARED_ALLOCATOR = ("session.use_env_allocators", "1")
"""Entry of a session's configuration: it allocates from the arena that all sessions of the process share.

Otherwise each session has its own arena, and never gives back what its largest batch needed. Two sessions of B0 under
mixed batches of up to 6 images held 651 MiB with a shared arena, 891 MiB each with their own, at the same speed.
"""
ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
    ort.OrtArenaCfg(0, -1, -1, -1),
)

TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
"""ONNX Runtime's names of the contract's types, and NumPy's."""
PROVIDERS_FOR_ANY_SHAPE = {"CPUExecutionProvider", "AzureExecutionProvider"}
"""Providers that run a new shape as fast as a known one; the second is always listed, and runs none of our models."""

MAX_SHARING = 2
"""Batches that may share a CPU's threads: each holds memory of its own, and two leave hardly a core idle."""


class OnnxEngine:
    """Runs one ONNX file in a thread, off the event loop.

    On a CPU a batch that runs alone gets all threads. It can't use them fully: the parts of an operator aren't all done
    at the same moment, least of all where other programs want the cores too. So a batch that finds another one running
    gets half of the threads, in a session of its own.
    """

    def __init__(self, path: Path, name: str, version: str, threads: int = 0) -> None:
        """Open the file and read its description.

        Args:
            path: the ``.onnx`` file.
            name: name of the model in the repository.
            version: its version there.
            threads: number of threads for one operator; 0: as many as this process may use cores.

        Raises:
            ModelError: the file can't be opened, or doesn't keep the tensor contract.
        """
        threads = threads or available_cores()
        self._session = _open(path, threads)
        self._max_in_flight = min(MAX_SHARING, threads) if self._on_cpu else 1
        self._second = _open(path, threads // MAX_SHARING) if self._max_in_flight > 1 else self._session
        self._in_flight = 0
        info, self._mask_output = describe(read_signature(self._session, path), name, version, "onnx")
        self._info = replace(info, card={"bytes": path.stat().st_size} | info.card)
        self._executor = ThreadPoolExecutor(self._max_in_flight, thread_name_prefix=f"onnx-{name}")

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def slots(self) -> int:
        return 1

    @property
    def max_in_flight(self) -> int:
        return self._max_in_flight

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return () if self._on_cpu else ROI_COUNTS

    @property
    def _on_cpu(self) -> bool:
        return set(self._session.get_providers()) <= PROVIDERS_FOR_ANY_SHAPE

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        options = ort.RunOptions()
        session = self._second if self._in_flight else self._session
        self._in_flight += 1
        run = asyncio.get_running_loop().run_in_executor(self._executor, self._run, session, batch, options)
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            options.terminate = True
            # It ends with an error that nobody awaits; asyncio logs those that were never looked at, traceback and all.
            run.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            await asyncio.wait([run])
            raise
        finally:
            self._in_flight -= 1

    def run(self, batch: Batch) -> Prediction:
        """Run one batch in the calling thread, with all threads of the engine; see :meth:`Engine.infer`."""
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
        self._session = self._second = None  # frees their memory while others may still refer to the engine


def _open(path: Path, threads: int) -> Any:
    """Open a session of the file that uses ``threads`` threads for one operator.

    Raises:
        ModelError: ONNX Runtime can't open the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from decoding and mask drawing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(*SHARED_ALLOCATOR)
    try:
        return ort.InferenceSession(path, options, providers=ort.get_available_providers())
    except Exception as error:
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error


def read_signature(session: Any, path: Path) -> ModelSignature:
    """Inputs, outputs and metadata of the ONNX file at ``path`` that a session has open."""
    tensors = [*session.get_inputs(), *session.get_outputs()]
    return ModelSignature(
        source=str(path),
        types={tensor.name: TYPES.get(tensor.type, tensor.type) for tensor in tensors},
        inputs={tensor.name: tensor.shape for tensor in session.get_inputs()},
        outputs={tensor.name: tensor.shape for tensor in session.get_outputs()},
        metadata=dict(session.get_modelmeta().custom_metadata_map),
    )
