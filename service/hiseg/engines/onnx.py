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

from hiseg.core.errors import Unavailable
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
from hiseg.engines.sessions import SessionPool, thread_shares

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


class OnnxEngine:
    """Runs one ONNX file in threads, off the event loop.

    On a CPU two batches may run at once, each with its share of the threads; see :class:`SessionPool`.
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
        whole = _open(path, threads)
        self._on_cpu = set(whole.get_providers()) <= PROVIDERS_FOR_ANY_SHAPE
        shares = thread_shares(threads) if self._on_cpu else []
        self._sessions = SessionPool(whole, [_open(path, share) for share in shares])
        self._running: set[ort.RunOptions] = set()
        self._closed = False
        info, self._mask_output = describe(read_signature(whole, path), name, version, "onnx")
        self._info = replace(info, card={"bytes": path.stat().st_size} | info.card)
        self._executor = ThreadPoolExecutor(self._sessions.size, thread_name_prefix=f"onnx-{name}")

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def slots(self) -> int:
        return 1

    @property
    def max_in_flight(self) -> int:
        return self._sessions.size

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return () if self._on_cpu else ROI_COUNTS

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        async with self._sessions.borrow() as session:
            if self._closed:
                raise Unavailable("the engine is closed")
            options = ort.RunOptions()
            run = asyncio.get_running_loop().run_in_executor(self._executor, self._run, session, batch, options)
            self._running.add(options)
            try:
                return await _until_ended(run, options)
            except Exception as error:
                if self._closed:
                    raise Unavailable("the engine was closed while it ran the batch") from error
                raise
            finally:
                self._running.discard(options)

    def run(self, batch: Batch) -> Prediction:
        """Run one batch in the calling thread, with all threads of the engine; see :meth:`Engine.infer`."""
        return self._run(self._sessions.whole, batch)

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
        self._closed = True
        for options in [*self._running]:
            options.terminate = True
        self._executor.shutdown(wait=True)
        self._sessions.close()


async def _until_ended(run: asyncio.Future[Prediction], options: ort.RunOptions) -> Prediction:
    """Await a run, also when cancelled: it is told to stop then, and its session is free only once it has."""
    cancelled: asyncio.CancelledError | None = None
    while not run.done():
        try:
            await asyncio.wait([run])
        except asyncio.CancelledError as error:
            options.terminate, cancelled = True, error
    if cancelled:
        run.exception()  # asyncio logs an error that was never looked at, traceback and all
        raise cancelled
    return run.result()


def _open(path: Path, threads: int) -> Any:
    """Open a session of the file that uses ``threads`` threads for one operator.

    Raises:
        ModelError: ONNX Runtime can't open the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from decoding and mask drawing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory for each shape of batch takes a block of its own for each, on top of what its first run
    # took step by step: nearly twice as much in all, and no faster.
    options.enable_mem_pattern = False
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
