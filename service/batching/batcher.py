"""The one way of a job to the engine. Jobs run one by one, in the order they came; callers who left are skipped."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from service.engines.base import Batch, Engine, Prediction


@dataclass(frozen=True, slots=True)
class Served:
    """A prediction and what it took.

    Attributes:
        queue_ms: waited for the engine.
        infer_ms: in the engine.
    """

    prediction: Prediction
    queue_ms: float
    infer_ms: float


class Batcher:
    """Feeds one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._slot = asyncio.Lock()

    async def submit(self, work: Batch) -> Served:
        """Run one job's canvas and RoIs; a caller cancelled while waiting never reaches the engine."""
        arrived = time.perf_counter()
        async with self._slot:
            started = time.perf_counter()
            prediction = await self.engine.infer(work)
            ended = time.perf_counter()
        return Served(prediction, (started - arrived) * 1000, (ended - started) * 1000)
