"""The embedded engine: ONNX Runtime in this process, for any file that keeps the tensor contract.

All of the package gets ONNX Runtime from here: its telemetry must be switched off before it is loaded.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.core.errors import Unavailable
from hiseg.core.extras import RUNNING_MODELS, broken_runtime, needing
from hiseg.core.forks import keep_in_children, native_work
from hiseg.core.image import Floats, Pixels
from hiseg.engines.base import (
    ROI_COUNTS,
    Batch,
    ModelInfo,
    Outputs,
    Prediction,
    logit_margins,
    no_boxes,
    no_foreground,
    no_logit_margins,
)
from hiseg.engines.contract import BOXES_OUTPUT, FOREGROUND_OUTPUT, IMAGES, ROIS, ModelError, ModelSignature, describe
from hiseg.engines.cores import available_cores
from hiseg.engines.onnx_file import weights_of
from hiseg.engines.pieces import PieceLimits, divide
from hiseg.engines.row_range import END_ROW, FIRST_ROW, with_row_range
from hiseg.engines.sessions import SessionPool, thread_shares
from hiseg.engines.unreadable import no_file, why_unopened

# From 1.29 on ONNX Runtime's Linux builds collect what they run, names and hashes of models among it, in a database in
# the home folder, and send it to their makers, unless this variable is set when the library is loaded; a call
# afterwards comes too late. Whoever wants it otherwise sets the variable to something else.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

with needing(RUNNING_MODELS):
    import onnxruntime as ort
if not hasattr(ort, "InferenceSession"):
    raise broken_runtime()

__all__ = ["FATAL", "OnnxEngine", "fast_providers", "ort", "read_signature"]

SHARED_ALLOCATOR = ("session.use_env_allocators", "1")
"""Entry of a session's configuration: it allocates from the arena that all sessions of the process share.

Otherwise each session has its own arena, and never gives back what its largest batch needed.
"""
ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
    ort.OrtArenaCfg(0, -1, -1, -1),
)

GIVE_BACK = ("memory.enable_memory_arena_shrinkage", "cpu:0")
"""Entry of a run's configuration: memory of the arena that is free after it goes back to the system."""

FATAL = 4
"""Severity of logs below which ONNX Runtime prints nothing: what is wrong with a file is in the error it raises too."""
TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
"""ONNX Runtime's names of the contract's types, and NumPy's."""
TENSORRT = "TensorrtExecutionProvider"
"""A provider that is left alone: it compiles a model for minutes whenever a batch has a new shape, and wherever its
libraries are missing, as they are after `pip install onnxruntime-gpu`, each session complains about it."""
PROVIDERS_FOR_ANY_SHAPE = {"CPUExecutionProvider", "AzureExecutionProvider"}
"""Providers that run a new shape as fast as a known one; the second is always listed, and runs none of our models."""

PIECE_IMAGES = 6
PIECE_MASK_CELLS = 16 * 128 * 96
"""Images and cells of masks that are computed at once on a CPU: 16 masks of B0, 10 of B1.

A run's memory grows with them, and larger batches run piece by piece. Of 100 boxes in one image B0 takes 7 % longer so,
since the image is looked at anew for each piece, and B1 5 % less. When the service is saturated, batches of ordinary
requests have up to six images: in pieces of four they took 8 % longer.
"""
MAX_EDITED_BYTES = 2**30
"""Size of a file up to which its graph is edited; reading it takes as much memory while it is opened."""
MAX_DIFFERENCE = 1e-3
"""How far a logit may be off when its mask is computed with others than before: what rounding makes of it."""


class OnnxEngine:
    """Runs one ONNX file in threads, off the event loop.

    On a CPU two batches may run at once, each with its share of the threads; see :class:`SessionPool`.
    """

    def __init__(self, path: Path, name: str, version: str, threads: int = 0, *, shares_later: bool = False) -> None:
        """Open the file and read its description.

        Args:
            path: the ``.onnx`` file.
            name: name of the model in the repository.
            version: its version there.
            threads: number of threads for one operator; 0: as many as this process may use cores.
            shares_later: the model is opened for shares of the threads when two batches first run at once, and not
                here; so who runs one at a time is ready in a third of the time.

        Raises:
            ModelError: the file can't be opened, or doesn't keep the tensor contract.
        """
        threads = threads or available_cores()
        model, whole, signature = _open_in_pieces(path, threads)
        info, self._mask_output = describe(signature, name, version, "onnx")
        self._info = replace(info, card={"bytes": path.stat().st_size} | info.card)
        self._on_cpu = set(whole.get_providers()) <= PROVIDERS_FOR_ANY_SHAPE
        self._has_row_range = isinstance(model, bytes)
        if self._has_row_range and not self._rows_are_independent(whole):
            model, whole, self._has_row_range = path, _open(path, threads), False
        shares = thread_shares(threads) if self._on_cpu else []
        self._sessions = SessionPool(whole, [partial(_open, model, share) for share in shares])
        # Never later from the file, which may be another one by then.
        if not (shares_later and isinstance(model, bytes)):
            self._sessions.open_shares()
        self._running: set[ort.RunOptions] = set()
        self._closed = False
        self._executor = ThreadPoolExecutor(self._sessions.size, thread_name_prefix=f"onnx-{name}")

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def on_cpu(self) -> bool:
        """Whether all of the model runs on the CPU, as it does, too, where a provider for a GPU can't be loaded."""
        return self._on_cpu

    @property
    def slots(self) -> int:
        return 1

    @property
    def max_in_flight(self) -> int:
        return self._sessions.size

    @property
    def roi_counts(self) -> tuple[int, ...]:
        if self._on_cpu:
            return ()
        return ROI_COUNTS if self._info.has_masks else (0,)

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        async with self._sessions.borrow() as session:
            options = ort.RunOptions()
            self._running.add(options)  # before the look at `_closed`: a run is refused, or else ended by `close`
            try:
                if self._closed:
                    raise Unavailable("the engine is closed")
                run = asyncio.get_running_loop().run_in_executor(self._executor, self._run, session, batch, options)
                return await _until_ended(run, options)
            except Unavailable:
                raise
            except Exception as error:
                if self._closed:
                    raise Unavailable("the engine was closed while it ran the batch") from error
                raise
            finally:
                self._running.discard(options)

    def run(self, batch: Batch) -> Prediction:
        """Run one batch in the calling thread, with all threads of the engine; see :meth:`Engine.infer`."""
        return self._run(self._sessions.whole, batch)

    @property
    def piece_limits(self) -> PieceLimits:
        """How much of a batch is run at once on a CPU, if masks are among what is requested."""
        return PieceLimits(PIECE_IMAGES, self._max_piece_rois if self._has_row_range else None)

    @property
    def _max_piece_rois(self) -> int:
        return max(1, PIECE_MASK_CELLS // math.prod(self._info.mask_size))

    def _run(self, session: Any, batch: Batch, options: ort.RunOptions | None = None) -> Prediction:
        """Run a batch in pieces, so that it takes no more memory than the largest piece."""
        requested, images, rois = batch.meta.requested, batch.images, batch.rois
        has_masks, has_foreground = Outputs.MASKS in requested, Outputs.FOREGROUND in requested
        limits = self.piece_limits if has_masks else PieceLimits(PIECE_IMAGES, None)
        if self._on_cpu and has_masks and limits.rois is None and len(rois) > self._max_piece_rois:
            options = options or ort.RunOptions()
            options.add_run_config_entry(*GIVE_BACK)
        pieces = [*divide(len(images), rois, limits)] if self._on_cpu else []
        if len(pieces) < 2:
            return self._compute(session, images, rois, slice(0, len(rois)), requested, options)
        size = self._info.mask_size
        margins = np.empty((len(rois), *size), dtype=np.float32) if has_masks else no_logit_margins(size)
        foreground, boxes = no_foreground(len(images)), [no_boxes()]
        for piece in pieces:
            own = requested if piece.has_foreground else Outputs.MASKS
            some = self._compute(session, images[piece.images], piece.rois(rois), piece.masks, own, options)
            if has_masks:
                margins[piece.rows[piece.masks]] = some.logit_margins
            if has_foreground and piece.has_foreground:
                if not foreground.size:
                    foreground = np.empty((len(images), *some.foreground.shape[1:]), dtype=np.float32)
                foreground[piece.images] = some.foreground
            some.boxes[:, 0] += piece.images.start
            boxes.append(some.boxes)
        return Prediction(margins, foreground, self._info.ref, self._info.crop_scale, np.concatenate(boxes))

    def _compute(
        self,
        session: Any,
        images: Pixels,
        rois: Floats,
        masks: slice,
        requested: Outputs,
        options: ort.RunOptions | None = None,
    ) -> Prediction:
        """Run the model on one piece of a batch.

        Args:
            session: the session that runs it.
            images: uint8 ``[B, 3, H, W]``.
            rois: float32 ``[N, 5]``, all boxes of the images.
            masks: the rows of ``rois`` whose masks are computed; all, unless the session has a row range.
            requested: the outputs that are fetched.
            options: of the run; None: ONNX Runtime's defaults.

        Returns:
            The margins are those of ``masks`` alone.
        """
        inputs: dict[str, Any] = {ROIS: rois} if self._info.has_masks else {}
        inputs[IMAGES] = images if self._info.takes_uint8 else images.astype(np.float32) / 255
        outputs = [self._mask_output] if Outputs.MASKS in requested else []
        if Outputs.FOREGROUND in requested:
            outputs.append(FOREGROUND_OUTPUT)
        if Outputs.BOXES in requested:
            outputs.append(BOXES_OUTPUT)
        if self._has_row_range:
            end = masks.stop if Outputs.MASKS in requested else masks.start
            inputs |= {FIRST_ROW: np.array([masks.start]), END_ROW: np.array([end])}
        with native_work():
            made = dict(zip(outputs, session.run(outputs, inputs, options), strict=True))
        logits, foreground = made.get(self._mask_output), made.get(FOREGROUND_OUTPUT)
        return Prediction(
            no_logit_margins(self._info.mask_size) if logits is None else logit_margins(logits),
            no_foreground(len(images)) if foreground is None else np.asarray(foreground[:, 0], dtype=np.float32),
            self._info.ref,
            self._info.crop_scale,
            made.get(BOXES_OUTPUT, no_boxes()),
        )

    def _rows_are_independent(self, session: Any) -> bool:
        """Whether masks come out the same when some are computed at a time; tried on noise with boxes that overlap."""
        rng = np.random.default_rng(0)
        canvas = min(self._info.canvases, key=math.prod)
        images = rng.integers(0, 256, (1, 3, *canvas), dtype=np.uint8)
        rois = np.array([[0, 0.1 * k, 0.1 * k, 0.1 * k + 0.5, 0.1 * k + 0.4] for k in range(5)], dtype=np.float32)

        def compute(*parts: slice) -> Floats:
            made = [self._compute(session, images, rois, part, Outputs.MASKS).logit_margins for part in parts]
            return np.concatenate(made)

        try:
            whole, parts = compute(slice(0, 5)), compute(slice(0, 2), slice(2, 5))
        except Exception:  # ONNX Runtime's errors have no class of their own
            return False
        return whole.shape == parts.shape and np.allclose(whole, parts, atol=MAX_DIFFERENCE)

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


def _open_in_pieces(path: Path, threads: int) -> tuple[Path | bytes, Any, ModelSignature]:
    """Open a file so that it can compute some masks at a time, where that can be; else as it is.

    Returns:
        What to open further sessions of, bytes if they have a row range; a session with all threads; its signature.

    Raises:
        ModelError: ONNX Runtime can't open the file.
    """
    if why := no_file(path):
        raise ModelError(f"{path}: {why}")
    if path.stat().st_size <= MAX_EDITED_BYTES and set(ort.get_available_providers()) <= PROVIDERS_FOR_ANY_SHAPE:
        with suppress(OSError, ModelError):  # then the file itself is opened, which says what is wrong
            model = with_row_range(path.read_bytes())
            if model is not None:
                session = _open(model, threads)
                return model, session, read_signature(session, path, (FIRST_ROW, END_ROW))
    session = _open(path, threads)
    return path, session, read_signature(session, path)


def _open(model: Path | bytes, threads: int) -> Any:
    """Open a session of a file, or of the content of one, that uses ``threads`` threads for one operator.

    Raises:
        ModelError: ONNX Runtime can't open the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from decoding and mask drawing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory for each shape of batch takes a block of its own for each, on top of what its first run
    # took step by step: twice as much in all for a crowd, kept for good, and two percent faster at most.
    options.enable_mem_pattern = False
    options.add_session_config_entry(*SHARED_ALLOCATOR)
    try:
        providers = [name for name in ort.get_available_providers() if name != TENSORRT]
        with native_work():
            session = ort.InferenceSession(model, options, providers=providers)
    except Exception as error:
        name = "the edited graph" if isinstance(model, bytes) else model
        why = error if isinstance(model, bytes) else why_unopened(model, error)
        raise ModelError(f"{name}: ONNX Runtime cannot open it: {why}") from error
    keep_in_children(session)
    session._model_bytes = None  # kept for opening the model again with other providers, which nobody does
    return session


def fast_providers(available: Sequence[str] | None = None) -> list[str]:
    """Those of ONNX Runtime's providers (``available``, else those it was built with) that are used, and aren't the
    CPU's."""
    names = ort.get_available_providers() if available is None else available
    return [name for name in names if name not in {*PROVIDERS_FOR_ANY_SHAPE, TENSORRT}]


def read_signature(session: Any, path: Path, added: Sequence[str] = ()) -> ModelSignature:
    """Inputs, outputs and metadata of the ONNX file at ``path`` that a session has open, without inputs ``added``."""
    given = [tensor for tensor in session.get_inputs() if tensor.name not in added]
    tensors = [*given, *session.get_outputs()]
    return ModelSignature(
        source=str(path),
        types={tensor.name: TYPES.get(tensor.type, tensor.type) for tensor in tensors},
        inputs={tensor.name: tensor.shape for tensor in given},
        outputs={tensor.name: tensor.shape for tensor in session.get_outputs()},
        metadata=dict(session.get_modelmeta().custom_metadata_map),
        weights=weights_of(path),
    )
