"""Engines that fail, go away, come back or change: what becomes of the jobs."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.core.errors import Unavailable, UndecodableImage
from hiseg.engines.base import Batch, Cost, Prediction, RequestedOutputs
from tests.service.batching.house import GPU, ROOMY, assert_own_rows, house, work


def test_a_job_that_cannot_be_prepared_fails_alone() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        def broken() -> Prepared:
            raise UndecodableImage("damaged", field="image")

        async with house(loop, EchoEngine(GPU)) as inside:
            jobs = [work(0), replace(work(1), prepare=broken), work(2)]
            results = await asyncio.gather(*(inside.batcher.submit(job) for job in jobs), return_exceptions=True)
            assert isinstance(results[1], UndecodableImage)
            assert inside.order() == [0, 2]
            assert inside.batcher.wait_estimator.waiting_ms == 0

    run(scenario)


def test_one_job_that_the_engine_cannot_stand_takes_no_other_with_it() -> None:
    class Picky(EchoEngine):
        async def infer(self, batch: Batch) -> Prediction:
            if (batch.images == 13).any():
                raise RuntimeError("out of memory, say")
            return await super().infer(batch)

    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, Picky(GPU)) as inside:
            sends = (inside.send(marker) for marker in (11, 12, 13, 14))
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert [type(result) for result in results] == [BatchJob, BatchJob, RuntimeError, BatchJob]
            assert_own_rows(await inside.send(15), 15, 1)
            assert inside.batcher.wait_estimator.waiting_ms == 0

    run(scenario)


def test_an_engine_that_is_away_is_not_asked_again_for_each_job() -> None:
    class Away(EchoEngine):
        asked = 0

        async def infer(self, batch: Batch) -> Prediction:
            self.asked += 1
            await asyncio.sleep(0.01)
            raise Unavailable("no server answers")

    async def scenario(loop: VirtualLoop) -> None:
        engine = Away(GPU)
        async with house(loop, engine) as inside:
            results = await asyncio.gather(*(inside.send(marker) for marker in range(9)), return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        assert engine.asked <= 3

    run(scenario)


def test_batches_are_reported_with_their_prediction() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU)) as inside:
            await asyncio.gather(*(inside.send(marker, 2) for marker in range(3)))
        assert [(report.images, report.rois) for report in inside.notes.batches] == [(1, 2), (2, 4)]
        for report in inside.notes.batches:
            expected = GPU.batch(report.images, report.rois)
            assert (report.predicted_ms, report.real_ms) == (pytest.approx(expected), pytest.approx(expected))

    run(scenario)


def test_a_failing_engine_does_not_teach_the_pace() -> None:
    class Away(EchoEngine):
        away = True

        async def infer(self, batch: Batch) -> Prediction:
            if self.away:
                raise Unavailable("no server answers")
            return await super().infer(batch)

    async def scenario(loop: VirtualLoop) -> None:
        engine = Away(Cost(0, 10, 0))
        async with house(loop, engine) as inside:
            sends = [inside.send(marker) for marker in range(100)]
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            assert inside.notes.failures > 0
            assert inside.notes.batches == []
            engine.away = False
            tasks = [asyncio.create_task(inside.send(marker)) for marker in range(50)]
            await asyncio.sleep(0.001)
            assert inside.batcher.wait_estimator.wait_ms("", 1.0, 10.0) == pytest.approx(500, rel=0.05)
            await asyncio.wait(tasks)

    run(scenario)


def test_an_engine_that_goes_away_keeps_nobody_waiting_and_is_used_when_it_is_back() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(10.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf, images=1)) as it:
            inside, *waiting = [asyncio.create_task(it.send(marker)) for marker in range(5)]
            await asyncio.sleep(0.005)
            it.engine.slots = 0
            it.engine.changed()
            outcomes = await asyncio.gather(*waiting, it.send(9), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
            assert loop.time() == pytest.approx(0.005)
            assert (it.batcher.waiting, it.batcher.wait_estimator.waiting_ms) == (0, 0)
            await inside
            it.engine.slots = 2
            it.engine.changed()
            began = loop.time()
            await asyncio.gather(*(it.send(marker) for marker in range(4)))
            assert loop.time() - began == pytest.approx(0.02), "both new slots are used"

    run(scenario)


def test_an_engine_with_fewer_slots_gets_fewer_batches_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(10.0, 0.0, 0.0), slots=3), BatchLimits(math.inf, images=1)) as it:
            sent = [asyncio.create_task(it.send(marker)) for marker in range(9)]
            await asyncio.sleep(0.005)
            assert it.engine.running == 3
            it.engine.slots = 1
            it.engine.changed()
            await asyncio.sleep(0.01)
            assert it.engine.running == 1
            await asyncio.gather(*sent)

    run(scenario)


def test_a_batch_knows_what_is_wanted_and_until_when() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(10.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf)) as it:
            it.engine.gate.clear()
            first = asyncio.create_task(it.send(0, requested=RequestedOutputs.FOREGROUND))
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(it.send(1, requested=RequestedOutputs.FOREGROUND, deadline=5.0)),
                asyncio.create_task(it.send(2, requested=RequestedOutputs.MASKS, deadline=9.0, traceparent="00-a")),
            ]
            await asyncio.sleep(0.001)
            it.engine.gate.set()
            await asyncio.gather(first, *rest)
            alone, both = (batch.meta for batch in it.engine.batches)
            assert (alone.requested, alone.deadline, alone.traceparent) == (RequestedOutputs.FOREGROUND, None, "")
            assert (both.requested, both.deadline, both.traceparent) == (RequestedOutputs.BOTH, 9.0, "00-a")
            assert both.cost_ms > 0

    run(scenario)


def test_a_batch_that_waits_for_a_slot_when_the_engine_goes_away_does_not_wait_for_ever() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU)
        async with house(loop, engine, replace(ROOMY, images=2)) as inside:
            sends = [asyncio.create_task(inside.send(marker)) for marker in range(6)]
            await asyncio.sleep(0.001)
            engine.slots = 0
            engine.changed()
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [BatchJob] + [Unavailable] * 5
        # Leaving the block waits for every batch that was launched.
        assert loop.time() < 1

    run(scenario)
