"""Batches beyond the engine's slots: when they go, and what is learnt from those that share a slot."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.wait import WaitEstimator
from hiseg.engines.base import Batch, Cost, Prediction
from tests.service.batching.house import house

PICTURE_MS = 40
PICTURE = Cost(0.0, PICTURE_MS, 0.0)
"""Two are over the budget: every job is a batch of its own."""


class Shared(EchoEngine):
    """One slot with room for two batches, each of which then takes twice as long; it stands for a machine's cores."""

    def __init__(self) -> None:
        super().__init__(prior=PICTURE, extra=1)
        self.inside = 0
        self.began: list[int] = []

    async def infer(self, batch: Batch) -> Prediction:
        self.began.append(round(asyncio.get_running_loop().time() * 1000))
        self.inside += 1
        assert self.inside <= self.max_in_flight
        for _ in range(PICTURE_MS):
            await asyncio.sleep(self.inside / 1000)
        self.inside -= 1
        return await super().infer(batch)


def begun(jobs: int) -> list[int]:
    """When the engine got each of so many jobs that come at once, in milliseconds."""

    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, engine) as inside:
            await asyncio.gather(*(inside.send(marker) for marker in range(jobs)))
            # Learnt from as if each had had the slot for itself: an idle engine is as fast as before.
            await asyncio.sleep(1)
            assert inside.batcher.cost.now.batch(1, 1) == pytest.approx(PICTURE_MS, rel=0.05)
            took = [report.real_ms for report in inside.notes.batches]
            assert took == pytest.approx([PICTURE_MS] * jobs, rel=0.05)

    engine = Shared()
    run(scenario)
    return engine.began


def test_the_last_that_waits_gets_the_slot_for_itself() -> None:
    assert begun(jobs=2) == [0, PICTURE_MS]


def test_while_more_wait_a_slot_is_shared() -> None:
    assert begun(jobs=3)[:2] == [0, 0]
    assert len(begun(jobs=9)) == 9


def test_who_shares_a_slot_is_expected_to_take_longer_by_just_that() -> None:
    now = 100.0
    estimator = WaitEstimator(lambda: now, 1e9)
    first = estimator.batch_started(100, 100)
    now += 0.05
    assert estimator.next_free_ms() == pytest.approx(50)
    second = estimator.batch_started(100, 100)
    assert estimator.running_ms() == pytest.approx(150)
    assert estimator.next_free_ms() == pytest.approx(100)
    now += 0.1
    estimator.batch_ended(first)
    assert (first.used_ms, second.used_ms) == (pytest.approx(100), pytest.approx(50))
    assert estimator.running_ms() == pytest.approx(50)
