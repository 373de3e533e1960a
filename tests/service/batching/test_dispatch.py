"""Batches in the engine: failed and abandoned ones, and engines whose slots disappear, return or change in number."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.batcher import Batcher
from hiseg.batching.dispatch import InFlightLimit, cancel_when_abandoned
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.batching.workers import Workers
from hiseg.core.errors import Unavailable, UndecodableImage
from hiseg.engines.base import Batch, Cost, Outputs, Prediction
from tests.service.batching.harness import GPU, ROOMY, assert_own_rows, batch_job, running_batcher


def test_as_many_run_at_once_as_there_are_slots_also_when_their_number_changes() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        count, running = 2, 0
        limit = InFlightLimit(lambda: count)

        async def hold() -> None:
            nonlocal running
            async with limit.acquire():
                running += 1
                await asyncio.sleep(10)
                running -= 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(7):
                tasks.create_task(hold())
            await asyncio.sleep(5)
            assert running == 2
            count = 3
            limit.limit_changed()
            await asyncio.sleep(1)
            assert running == 3
            count = 1
            await asyncio.sleep(20)
            assert running == 1
        assert loop.time() == 55, "two end after 10 s, one after 15, and then one after another"

    run(scenario)


def test_a_run_is_cancelled_only_once_all_its_callers_have_left() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        answers = [loop.create_future() for _ in range(2)]
        running = asyncio.create_task(cancel_when_abandoned(answers, asyncio.sleep(10)))
        await asyncio.sleep(1)
        answers[0].cancel()
        await asyncio.sleep(1)
        assert not running.done()
        answers[1].cancel()
        await running
        assert loop.time() == 2

    run(scenario)


def test_a_timeout_in_a_run_is_not_taken_for_callers_who_left() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async def times_out() -> None:
            raise TimeoutError("the engine's own")

        with pytest.raises(TimeoutError, match="the engine's own"):
            await cancel_when_abandoned([loop.create_future()], times_out())

    run(scenario)


def test_a_job_that_cannot_be_prepared_fails_alone() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        def broken() -> Prepared:
            raise UndecodableImage("damaged", field="image")

        async with running_batcher(loop, EchoEngine(GPU)) as harness:
            jobs = [batch_job(0), replace(batch_job(1), prepare=broken), batch_job(2)]
            results = await asyncio.gather(*(harness.batcher.submit(job) for job in jobs), return_exceptions=True)
            assert isinstance(results[1], UndecodableImage)
            assert harness.order() == [0, 2]
            assert harness.batcher.wait_estimator.waiting_ms == 0

    run(scenario)


def test_a_job_that_crashes_the_engine_fails_no_other() -> None:
    class Picky(EchoEngine):
        async def infer(self, batch: Batch) -> Prediction:
            if (batch.images == 13).any():
                raise RuntimeError("out of memory, say")
            return await super().infer(batch)

    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, Picky(GPU)) as harness:
            sends = (harness.send(marker) for marker in (11, 12, 13, 14))
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert [type(result) for result in results] == [BatchJob, BatchJob, RuntimeError, BatchJob]
            assert_own_rows(await harness.send(15), 15, 1)
            assert harness.batcher.wait_estimator.waiting_ms == 0

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
        async with running_batcher(loop, engine) as harness:
            results = await asyncio.gather(*(harness.send(marker) for marker in range(9)), return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        assert engine.asked <= 3

    run(scenario)


def test_without_a_watcher_batches_fail_run_and_are_learnt_from_alike() -> None:
    class FailsOnce(EchoEngine):
        failures = 0

        async def infer(self, batch: Batch) -> Prediction:
            if not self.failures:
                self.failures += 1
                raise Unavailable("no server answers")
            return await super().infer(batch)

    async def scenario(loop: VirtualLoop) -> None:
        engine = FailsOnce(Cost(10.0, 0.0, 0.0), prior=Cost(1.0, 1.0, 1.0))
        async with Batcher(engine, Workers(ThreadPoolExecutor(1)), clock=loop.time).running() as batcher:
            with pytest.raises(Unavailable):
                await batcher.submit(batch_job(1))
            assert_own_rows(await batcher.submit(batch_job(2)), 2, 1)
            leaver = asyncio.create_task(batcher.submit(batch_job(3)))
            await asyncio.sleep(0)
            leaver.cancel()
            await asyncio.wait([leaver])
            assert batcher.waiting == 0
            await asyncio.sleep(1)
            assert batcher.cost_model.now != engine.info.cost_prior

    run(scenario)


def test_batches_are_reported_with_their_prediction() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU)) as harness:
            await asyncio.gather(*(harness.send(marker, 2) for marker in range(3)))
        assert [(report.images, report.rois) for report in harness.notes.batches] == [(1, 2), (2, 4)]
        for report in harness.notes.batches:
            expected = GPU.batch(report.images, report.rois)
            assert (report.predicted_ms, report.real_ms) == (pytest.approx(expected), pytest.approx(expected))

    run(scenario)


def test_failed_batches_do_not_change_the_pace() -> None:
    class Away(EchoEngine):
        away = True

        async def infer(self, batch: Batch) -> Prediction:
            if self.away:
                raise Unavailable("no server answers")
            return await super().infer(batch)

    async def scenario(loop: VirtualLoop) -> None:
        engine = Away(Cost(0, 10, 0))
        async with running_batcher(loop, engine) as harness:
            sends = [harness.send(marker) for marker in range(100)]
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            assert harness.notes.failures > 0
            assert harness.notes.batches == []
            engine.away = False
            tasks = [asyncio.create_task(harness.send(marker)) for marker in range(50)]
            await asyncio.sleep(0.001)
            assert harness.batcher.wait_estimator.wait_ms("", 1.0, 10.0) == pytest.approx(500, rel=0.05)
            await asyncio.wait(tasks)

    run(scenario)


def test_an_engine_that_goes_away_keeps_nobody_waiting_and_is_used_when_it_is_back() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(
            loop, EchoEngine(Cost(10.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf, images=1)
        ) as harness:
            running, *waiting = [asyncio.create_task(harness.send(marker)) for marker in range(5)]
            await asyncio.sleep(0.005)
            harness.engine.slots = 0
            harness.engine.changed()
            outcomes = await asyncio.gather(*waiting, harness.send(9), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
            assert loop.time() == pytest.approx(0.005)
            assert (harness.batcher.waiting, harness.batcher.wait_estimator.waiting_ms) == (0, 0)
            await running
            harness.engine.slots = 2
            harness.engine.changed()
            began = loop.time()
            await asyncio.gather(*(harness.send(marker) for marker in range(4)))
            assert loop.time() - began == pytest.approx(0.02), "both new slots are used"

    run(scenario)


def test_an_engine_with_fewer_slots_gets_fewer_batches_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(
            loop, EchoEngine(Cost(10.0, 0.0, 0.0), slots=3), BatchLimits(math.inf, images=1)
        ) as harness:
            sent = [asyncio.create_task(harness.send(marker)) for marker in range(9)]
            await asyncio.sleep(0.005)
            assert harness.engine.running == 3
            harness.engine.slots = 1
            harness.engine.changed()
            await asyncio.sleep(0.01)
            assert harness.engine.running == 1
            await asyncio.gather(*sent)

    run(scenario)


def test_a_batch_knows_what_is_wanted_and_until_when() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(10.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf)) as harness:
            harness.engine.gate.clear()
            first = asyncio.create_task(harness.send(0, requested=Outputs.FOREGROUND))
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(harness.send(1, requested=Outputs.FOREGROUND, deadline=5.0)),
                asyncio.create_task(harness.send(2, requested=Outputs.MASKS, deadline=9.0, traceparent="00-a")),
            ]
            await asyncio.sleep(0.001)
            harness.engine.gate.set()
            await asyncio.gather(first, *rest)
            alone, both = (batch.meta for batch in harness.engine.batches)
            assert (alone.requested, alone.deadline, alone.traceparent) == (Outputs.FOREGROUND, None, "")
            assert (both.requested, both.deadline, both.traceparent) == (Outputs.BOTH, 9.0, "00-a")
            assert both.cost_ms > 0

    run(scenario)


def test_a_batch_that_waits_for_a_slot_when_the_engine_goes_away_does_not_wait_for_ever() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU)
        async with running_batcher(loop, engine, replace(ROOMY, images=2)) as harness:
            sends = [asyncio.create_task(harness.send(marker)) for marker in range(6)]
            await asyncio.sleep(0.001)
            engine.slots = 0
            engine.changed()
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [BatchJob] + [Unavailable] * 5
        # Leaving the block waits for every batch that was launched.
        assert loop.time() < 1

    run(scenario)


def test_a_caller_who_leaves_in_the_very_turn_in_which_the_engine_is_free_never_reaches_it() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU)) as harness:
            first = asyncio.create_task(harness.send(0))
            await asyncio.sleep(0.001)
            second = asyncio.create_task(harness.send(1))
            loop.call_at(GPU.batch(1, 1) / 1000, second.cancel)
            await asyncio.wait([first, second])
            await asyncio.sleep(1)
            assert harness.order() == [0]
            assert harness.notes.drops == ["gone"]

    run(scenario)


def test_callers_who_all_leave_free_the_engine_for_those_who_stay() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(
            loop, EchoEngine(Cost(1000.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf, budget_ms=0.5)
        ) as harness:
            leaver = asyncio.create_task(harness.send(1))
            stayer = asyncio.create_task(harness.send(2, at=0.1))
            await asyncio.sleep(0.3)
            leaver.cancel()
            assert_own_rows(await stayer, 2, 1)
            assert loop.time() == pytest.approx(1.3, abs=0.01)
            assert (harness.engine.abandoned, harness.order()) == (1, [2])

    run(scenario)


def test_a_batch_goes_on_for_the_one_who_stays() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(10.0, 0.0, 0.0))) as harness:
            sent = [asyncio.create_task(harness.send(marker)) for marker in (1, 2, 3)]
            await asyncio.sleep(0.015)
            assert harness.engine.running == 1
            sent[1].cancel()
            assert_own_rows(await sent[2], 3, 1)
            assert harness.engine.abandoned == 0

    run(scenario)
