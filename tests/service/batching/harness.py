"""A running batcher in virtual time, with an engine whose results are known beforehand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.harness.echo import EchoEngine, Notes
from benchmarks.harness.virtual_time import VirtualLoop
from hiseg.batching.batcher import Batcher
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.batching.workers import Workers
from hiseg.engines.base import Cost

GPU = Cost(4.0, 1.0, 1.0)
ENDLESS = BatchLimits(wait_ms=math.inf)
ROOMY = replace(ENDLESS, budget_ms=1000)
CANVASES = ((64, 64), (48, 64))


@dataclass
class Harness:
    """A running batcher, and what a test can see of it."""

    batcher: Batcher
    engine: EchoEngine
    notes: Notes
    loop: VirtualLoop

    async def send(self, marker: float, rois: int = 1, at: float = 0.0, **options: object) -> BatchJob:
        await asyncio.sleep(at - self.loop.time())
        return await self.batcher.submit(batch_job(marker, rois, **options))

    def order(self) -> list[float]:
        """Markers of the jobs in the order the engine got them."""
        return [round(float(image[0, 0, 0])) for batch in self.engine.batches for image in batch.images]


@asynccontextmanager
async def running_batcher(
    loop: VirtualLoop, engine: EchoEngine, limits: BatchLimits = ENDLESS
) -> AsyncIterator[Harness]:
    notes = Notes()
    async with Batcher(engine, Workers(ThreadPoolExecutor(1)), notes, limits, clock=loop.time).running() as batcher:
        yield Harness(batcher, engine, notes, loop)


def batch_job(marker: float, rois: int = 1, canvas: tuple[int, int] = CANVASES[0], **options: object) -> BatchJob:
    """A job whose rows can be told from all others: image full of ``marker``, RoI k at x1 = marker + k/1000."""

    def prepare() -> Prepared:
        rows = np.zeros((rois, 4), dtype=np.float32)
        rows[:, 0] = marker + np.arange(rois) / 1000
        return Prepared(np.full((3, *canvas), marker, dtype=np.uint8), rows)

    return BatchJob(canvas, rois, prepare, **options)  # type: ignore[arg-type]


def assert_own_rows(served: BatchJob, marker: int, rois: int) -> None:
    # By hand: tens of thousands of answers come here, and NumPy's own tests took a tenth of the time.
    expected = 1 + marker + np.arange(rois) / 1000
    assert served.prediction.logit_margins.shape == (rois, 8, 6)
    assert (abs(served.prediction.logit_margins[:, 0, 0] - expected) <= 1e-6 * expected).all()
    assert served.prediction.foreground.shape[0] == 1
    assert (abs(served.prediction.foreground - np.float32(marker) / 255) <= 1e-7 * marker / 255).all()
