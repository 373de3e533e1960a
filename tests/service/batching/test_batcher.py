"""Jobs on their way to the engine."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from service.batching.batcher import Batcher
from service.engines.base import Batch
from tests.service.fakes import EchoEngine


def work(marker: float) -> Batch:
    rois = np.array([[0, marker, 0, 1, 1]], dtype=np.float32)
    return Batch(np.zeros((1, 3, 64, 64), dtype=np.uint8), rois)


def test_each_caller_gets_its_own_rows_in_the_order_they_came() -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        batcher = Batcher(engine)
        served = await asyncio.gather(*(batcher.submit(work(k / 100)) for k in range(20)))
        for k, answer in enumerate(served):
            np.testing.assert_allclose(answer.prediction.margins, 1 + k / 100, rtol=1e-6)
            assert answer.queue_ms >= 0
        assert [round(float(batch.rois[0, 1]) * 100) for batch in engine.batches] == list(range(20))

    asyncio.run(scenario())


def test_a_caller_who_left_never_reaches_the_engine() -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        engine.gate.clear()
        batcher = Batcher(engine)
        first = asyncio.create_task(batcher.submit(work(0.1)))
        gone = asyncio.create_task(batcher.submit(work(0.2)))
        last = asyncio.create_task(batcher.submit(work(0.3)))
        await asyncio.sleep(0)
        gone.cancel()
        engine.gate.set()
        await asyncio.gather(first, last)
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert [round(float(batch.rois[0, 1]), 1) for batch in engine.batches] == [0.1, 0.3]

    asyncio.run(scenario())
