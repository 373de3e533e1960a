"""An engine without a model, for tests and measurements that must know the result beforehand.

It stands for :class:`hiseg.engines.onnx.OnnxEngine`; the real one is used wherever the masks themselves matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np

from hiseg.batching.admission import Admission, State
from hiseg.batching.batcher import Batcher
from hiseg.batching.job import BatchLimits
from hiseg.batching.workers import Workers
from hiseg.core.canvas import Resize
from hiseg.core.result import ModelRef
from hiseg.engines.base import Batch, Cost, ModelInfo, Outputs, Prediction, no_boxes, no_foreground
from hiseg.images.limits import ImageLimits
from hiseg.observability.reports import BatchReport, DropReason
from hiseg.observability.tracing import OFF, Tracing
from hiseg.segmenter import Segmenter

MEBI = 1024 * 1024
WORKERS = 2
"""Threads of an echoing segmenter that decode and draw."""


class EchoEngine:
    """Answers each RoI with margins that are its own x1 + 1 everywhere, and the foreground with the image's red.

    Args:
        cost: what it really takes, in milliseconds of the event loop's clock; None: no time at all.
        extra: batches beyond its slots that it has room for.
        prior: what it says it takes.
        crop_scale: sides of what its margins cover, as multiples of the box's.
        outputs: what it has; margins and foreground, or one of them, or a finder's.
        people: whom a finder finds in each image: rows ``x1 y1 x2 y2 score``.
    """

    def __init__(
        self,
        cost: Cost | None = None,
        slots: int = 1,
        extra: int = 0,
        prior: Cost | None = None,
        roi_counts: tuple[int, ...] = (),
        canvases: tuple[tuple[int, int], ...] = ((64, 64), (48, 64)),
        crop_scale: float = 1.0,
        outputs: Outputs = Outputs.BOTH,
        people: Sequence[Sequence[float]] = (),
    ) -> None:
        ref = ModelRef("echo", "1", "b0" if Outputs.MASKS in outputs else "foreground")
        if Outputs.BOXES in outputs:
            ref = ModelRef("echo_find", "2", "find")
        self.people = people
        cost_prior = prior or cost or Cost(4.0, 1.0, 1.0)
        self.info = ModelInfo(
            ref,
            canvases,
            Resize.LETTERBOX,
            (8, 6) if Outputs.MASKS in outputs else (0, 0),
            True,
            cost_prior,
            crop_scale=crop_scale,
            outputs=outputs,
        )
        self.slots = slots
        self._listeners: list[Callable[[], None]] = []
        self._extra = extra
        self.roi_counts = roi_counts
        self.batches: list[Batch] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.abandoned = 0
        self._cost = cost

    @property
    def max_in_flight(self) -> int:
        return self.slots + self._extra if self.slots else 0

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._listeners.append(changed)

    def changed(self) -> None:
        """Tell everybody who subscribed that the slots have changed."""
        for listener in self._listeners:
            listener()

    async def infer(self, batch: Batch) -> Prediction:
        assert self.running < self.max_in_flight, "no more batches at once than there is room for"
        self.running += 1
        try:
            await self.gate.wait()
            if self._cost:
                await asyncio.sleep(self._cost.batch(len(batch.images), len(batch.rois)) / 1000)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        finally:
            self.running -= 1
        self.batches.append(batch)
        assert batch.meta.requested in self.info.outputs, "nothing is requested that it hasn't"
        logit_margins = np.broadcast_to(batch.rois[:, 1, None, None] + 1, (len(batch.rois), *self.info.mask_size))
        foreground = no_foreground(len(batch.images))
        if Outputs.FOREGROUND in self.info.outputs:
            foreground = batch.images[:, 0].astype(np.float32) / 255
        boxes = no_boxes()
        if Outputs.BOXES in batch.meta.requested:
            rows = [[index, *row] for index in range(len(batch.images)) for row in self.people]
            boxes = np.array(rows, np.float32).reshape(-1, 6)
        margins = logit_margins.astype(np.float32)
        return Prediction(margins, foreground, self.info.ref, self.info.crop_scale, boxes)

    def close(self) -> None:
        pass


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.batches: list[BatchReport] = []
        self.drops: list[DropReason] = []
        self.failures = 0

    def on_batch(self, report: BatchReport) -> None:
        self.batches.append(report)

    def on_failure(self) -> None:
        self.failures += 1

    def on_drop(self, reason: DropReason) -> None:
        self.drops.append(reason)


@asynccontextmanager
async def echoing(
    engine: EchoEngine,
    limits: BatchLimits | None = None,
    max_bytes: int = 64 * MEBI,
    tracing: Tracing = OFF,
    finder: EchoEngine | None = None,
) -> AsyncIterator[Segmenter]:
    """A segmenter over an echo engine, taking requests; over one that finds people, too, if there is one."""
    with ThreadPoolExecutor(WORKERS) as executor:
        workers = Workers(executor, WORKERS)
        segmenter = Segmenter(workers, ImageLimits(10**6, 10**6), Admission(max_bytes), tracing)
        async with Batcher(engine, workers, Notes(), limits, tracing=tracing).running() as batcher:
            segmenter.batchers["echo"] = batcher
            segmenter.admission.state = State.READY
            if finder is None:
                yield segmenter
                return
            async with Batcher(finder, workers, Notes(), limits, tracing=tracing).running() as finding:
                segmenter.batchers[finder.info.ref.name] = finding
                yield segmenter
