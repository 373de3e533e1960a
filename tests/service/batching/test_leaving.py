"""Callers who leave, and deadlines that pass: who never reaches the engine."""

from __future__ import annotations

import asyncio
import math

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.job import BatchLimits
from hiseg.core.errors import DeadlineExceeded, Overloaded
from hiseg.engines.base import Cost
from tests.service.batching.house import GPU, assert_own_rows, house


def test_a_thousand_callers_who_left_never_reach_the_engine() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU)
        engine.gate.clear()
        async with house(loop, engine) as inside:
            first = asyncio.create_task(inside.send(0))
            await asyncio.sleep(0)
            others = [asyncio.create_task(inside.send(1)) for _ in range(1000)]
            await asyncio.sleep(0.001)
            for other in others:
                other.cancel()
            await asyncio.wait(others)
            assert inside.batcher.waiting == 0
            engine.gate.set()
            assert_own_rows(await first, 0, 1)
            last = await inside.send(2)
            assert_own_rows(last, 2, 1)
            assert inside.order() == [0, 2]
            assert inside.notes.drops == ["gone"] * 1000

    run(scenario)


def test_a_deadline_that_passes_in_the_queue_drops_the_job_before_the_engine() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        # The engine is slower than it says, so the door lets in what can't be done in time.
        engine = EchoEngine(Cost(100, 0, 0), prior=Cost(1, 1, 1))
        async with house(loop, engine) as inside:
            tasks = [asyncio.create_task(inside.send(marker, deadline=0.3)) for marker in range(2)]
            await asyncio.sleep(0.003)
            tasks.append(asyncio.create_task(inside.send(2, at=0.003, deadline=0.101)))
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[2], DeadlineExceeded)
            assert inside.order() == [0, 1]
            assert inside.notes.drops == ["deadline"]

    run(scenario)


def test_a_job_predicted_to_miss_its_deadline_is_refused_at_the_door() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(0, 10, 0))) as inside, asyncio.TaskGroup() as tasks:
            for marker in range(10):
                tasks.create_task(inside.send(marker))
            await asyncio.sleep(0.001)
            with pytest.raises(Overloaded) as raised:
                await inside.send(11, deadline=0.08)
            assert raised.value.reason == "deadline"
            with pytest.raises(DeadlineExceeded):
                await inside.send(11, deadline=loop.time() + 0.005)
            tasks.create_task(inside.send(12, deadline=0.15))
        assert inside.order() == [*range(10), 12]

    run(scenario)


def test_a_deadline_counts_the_whole_batch_and_not_the_jobs_part_of_it() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(100, 1, 1))) as inside:
            with pytest.raises(DeadlineExceeded):
                await inside.send(1, deadline=0.05)
            assert not inside.engine.batches

    run(scenario)


def test_company_that_would_make_a_job_late_takes_the_next_batch() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(0, 10, 0))) as inside, asyncio.TaskGroup() as tasks:
            tasks.create_task(inside.send(0))
            await asyncio.sleep(0.001)
            urgent = tasks.create_task(inside.send(1, deadline=0.05))
            for marker in (2, 3, 4, 5):
                tasks.create_task(inside.send(marker))
            await urgent
            assert loop.time() <= 0.05
        assert [len(batch.images) for batch in inside.engine.batches] == [1, 4, 1]

    run(scenario)


def test_a_caller_who_leaves_in_the_very_turn_in_which_the_engine_is_free_never_reaches_it() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU)) as inside:
            first = asyncio.create_task(inside.send(0))
            await asyncio.sleep(0.001)
            second = asyncio.create_task(inside.send(1))
            loop.call_at(GPU.batch(1, 1) / 1000, second.cancel)
            await asyncio.wait([first, second])
            await asyncio.sleep(1)
            assert inside.order() == [0]
            assert inside.notes.drops == ["gone"]

    run(scenario)


def test_callers_who_all_leave_free_the_engine_for_those_who_stay() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(1000.0, 0.0, 0.0)), BatchLimits(wait_ms=math.inf, budget_ms=0.5)) as it:
            leaver = asyncio.create_task(it.send(1))
            stayer = asyncio.create_task(it.send(2, at=0.1))
            await asyncio.sleep(0.3)
            leaver.cancel()
            assert_own_rows(await stayer, 2, 1)
            assert loop.time() == pytest.approx(1.3, abs=0.01)
            assert (it.engine.abandoned, it.order()) == (1, [2])

    run(scenario)


def test_a_batch_goes_on_for_the_one_who_stays() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(10.0, 0.0, 0.0))) as it:
            sent = [asyncio.create_task(it.send(marker)) for marker in (1, 2, 3)]
            await asyncio.sleep(0.015)
            assert it.engine.running == 1
            sent[1].cancel()
            assert_own_rows(await sent[2], 3, 1)
            assert it.engine.abandoned == 0

    run(scenario)
