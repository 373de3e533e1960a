"""Which session each batch runs in, on real sessions of the published model, over schedules of overlapping batches."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.repository import B0
from hiseg.core.errors import Unavailable
from hiseg.engines.base import Batch, BatchMeta, Outputs, Prediction
from hiseg.engines.onnx import OnnxEngine
from hiseg.engines.sessions import thread_shares

CANVAS = (384, 640)


def batch(people: int) -> Batch:
    rois = np.tile(np.array([[0, 0.2, 0.2, 0.7, 0.8]], dtype=np.float32), (people, 1))
    return Batch(np.zeros((1, 3, *CANVAS), dtype=np.uint8), rois, BatchMeta(requested=Outputs.MASKS))


class Recording(OnnxEngine):
    """Remembers how many batches each found in flight, and the threads of its session; counts sessions used twice at
    once."""

    def __init__(self, threads: int, shares_later: bool = False) -> None:
        super().__init__(B0, "hiseg_b0", "1", threads, shares_later=shares_later)
        self.runs: list[tuple[int, int]] = []
        self.shared = 0
        self.begun = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._in_use: list[Any] = []
        self._in_flight: dict[int, int] = {}

    async def infer(self, batch: Batch) -> Prediction:
        self._in_flight[id(batch)] = len(self._in_flight)
        try:
            return await super().infer(batch)
        finally:
            del self._in_flight[id(batch)]

    def _run(self, session: Any, batch: Batch, *arguments: Any) -> Prediction:
        with self._lock:
            self.shared += session in self._in_use
            self._in_use.append(session)
            self.runs.append((self._in_flight[id(batch)], session.get_session_options().intra_op_num_threads))
        self.begun.release()
        try:
            return super()._run(session, batch, *arguments)
        finally:
            with self._lock:
                self._in_use.remove(session)


async def feed(engine: OnnxEngine, batches: int) -> None:
    for index in range(batches):
        await engine.infer(batch(index % 3))


@pytest.mark.parametrize(
    ("threads", "shares"), [(1, []), (2, [1, 1]), (3, [2, 1]), (4, [2, 2]), (5, [3, 2]), (7, [4, 3]), (8, [4, 4])]
)
def test_the_shares_of_the_threads_are_all_of_them(threads: int, shares: list[int]) -> None:
    assert thread_shares(threads) == shares


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8])
def test_batches_that_run_at_once_have_a_session_each_with_its_share_of_the_threads(threads: int) -> None:
    engine, shares = Recording(threads), thread_shares(threads)

    async def scenario() -> None:
        await feed(engine, 3)
        await asyncio.gather(*(feed(engine, 12) for _ in range(engine.max_in_flight)))

    asyncio.run(scenario())
    engine.close()
    assert engine.max_in_flight == max(1, len(shares))
    assert engine.shared == 0
    assert engine.runs[:3] == [(0, threads)] * 3
    assert {used for found, used in engine.runs if found == 0} == {threads}, "alone a batch has all threads"
    assert {used for found, used in engine.runs if found} == set(shares)
    if shares:
        assert sum(found for found, _ in engine.runs) > len(engine.runs) / 2, "under load nearly all have a share"


def test_shares_that_are_opened_later_are_opened_by_the_first_batches_that_run_at_once() -> None:
    engine = Recording(2, shares_later=True)

    async def scenario() -> None:
        await feed(engine, 2)
        assert engine._sessions._shares == []
        first = [asyncio.create_task(engine.infer(batch(2))) for _ in range(4)]
        await asyncio.to_thread(engine.begun.acquire)
        first[1].cancel()  # it waits for its share, perhaps; what it has begun to open goes on
        outcomes = await asyncio.gather(*first, return_exceptions=True)
        assert sum(isinstance(outcome, Prediction) for outcome in outcomes) >= 3
        await asyncio.gather(*(feed(engine, 6) for _ in range(2)))

    asyncio.run(scenario())
    assert len(engine._sessions._shares) == 2
    assert (engine._sessions._unopened, engine.shared) == ([], 0)
    assert {used for _, used in engine.runs} == {2, 1}
    engine.close()


def test_more_batches_than_may_run_wait_for_a_session() -> None:
    """As when a server goes down and all of its batches come to the embedded engine."""
    engine = Recording(4)

    async def scenario() -> None:
        await asyncio.gather(*(engine.infer(batch(2)) for _ in range(7)))

    asyncio.run(scenario())
    engine.close()
    assert (len(engine.runs), engine.shared) == (7, 0)


def test_a_cancelled_run_keeps_its_session_until_it_has_ended_however_often_it_is_cancelled() -> None:
    engine = Recording(4)

    async def scenario() -> None:
        large = asyncio.create_task(engine.infer(batch(64)))
        await asyncio.to_thread(engine.begun.acquire)
        others = [asyncio.create_task(engine.infer(batch(1))) for _ in range(4)]
        for _ in range(3):
            await asyncio.sleep(0)
            large.cancel()
        await asyncio.gather(*others)
        with pytest.raises(asyncio.CancelledError):
            await large

    asyncio.run(scenario())
    engine.close()
    assert engine.shared == 0
    assert engine.runs[:2] == [(0, 4), (1, 2)]


def test_closing_ends_the_runs_in_flight_and_leaves_no_error_unseen() -> None:
    reported: list[object] = []
    engine = Recording(2)

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        large = [asyncio.create_task(engine.infer(batch(100))) for _ in range(4)]
        for _ in range(2):
            await asyncio.to_thread(engine.begun.acquire)
        large[1].cancel()
        await asyncio.to_thread(engine.close)
        outcomes = await asyncio.gather(*large, return_exceptions=True)
        assert isinstance(outcomes.pop(1), asyncio.CancelledError)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes), "none ran to its end"
        with pytest.raises(Unavailable):
            await engine.infer(batch(1))

    asyncio.run(scenario())
    assert reported == []
