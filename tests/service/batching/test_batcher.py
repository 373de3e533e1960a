"""Schedules of jobs through the batcher, in virtual time: who gets what, and who runs when."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.job import BatchJob
from hiseg.batching.latest import Superseded
from hiseg.core.errors import Unavailable
from hiseg.core.job import Priority
from hiseg.engines.base import Cost
from tests.service.batching.house import CANVASES, ENDLESS, GPU, assert_own_rows, house, work

JOBS = st.lists(
    st.tuples(
        st.integers(0, 40),  # arrives after the one before, ms
        st.integers(0, 6),  # boxes
        st.sampled_from(CANVASES),
        st.sampled_from("ab"),
        st.sampled_from(Priority),
        st.one_of(st.none(), st.none(), st.integers(1, 60)),  # leaves after, ms
        st.booleans(),  # a newer one may take its place
    ),
    max_size=8,
)


@settings(max_examples=5 * settings.default.max_examples)
@given(
    JOBS,
    st.sampled_from([(1, 0), (2, 0), (1, 1)]),
    st.sampled_from([(), (2, 4, 8)]),
    st.integers(1, 40),
    st.sampled_from([0, 0.003, 0.02]),
)
def test_every_caller_gets_exactly_its_own_rows(
    jobs: list[tuple[int, int, tuple[int, int], str, Priority, int | None, bool]],
    slots: tuple[int, int],
    roi_counts: tuple[int, ...],
    budget: int,
    decode_s: float,
) -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU, *slots, roi_counts=roi_counts)
        limits = replace(ENDLESS, budget_ms=budget, images=3)

        async def caller(marker: int, at: int, leaves: int | None, **given: object) -> BatchJob | None:
            try:
                async with asyncio.timeout_at(None if leaves is None else (at + leaves) / 1000):
                    return await inside.send(marker, at=at / 1000, **given)
            except (TimeoutError, Superseded):
                return None

        async with house(loop, engine, limits) as inside:
            at, callers = 0, []
            async with asyncio.TaskGroup() as tasks:
                for marker, (gap, rois, canvas, client, priority, leaves, latest) in enumerate(jobs):
                    at += gap
                    options = {"rois": rois, "canvas": canvas, "client": client, "priority": priority, "latest": latest}
                    callers.append(tasks.create_task(caller(marker, at, leaves, **options)))
            for marker, (job, task) in enumerate(zip(jobs, callers, strict=True)):
                served = task.result()
                if served is not None:
                    assert_own_rows(served, marker, job[1])
                else:
                    # Of two that come at the same moment either may be the newer one.
                    same = [n for n, other in enumerate(jobs) if other[6] and other[2:4] == job[2:4] and n != marker]
                    newer = [n for n in same if n > marker or not any(gap for gap, *_ in jobs[n + 1 : marker + 1])]
                    assert job[5] is not None or (job[6] and newer), "only who left, or was replaced, got nothing"
            assert inside.batcher.waiting == 0
            assert inside.batcher.wait_estimator.waiting_ms == 0, "the ledger is back at zero"
        order = inside.order()
        assert len(order) == len(set(order)), "no job runs twice"
        gone = sum(task.result() is None for task in callers)
        assert len(jobs) - gone <= len(order) <= len(jobs)
        for batch in engine.batches:
            assert len(batch.images) <= 3
            assert not roi_counts or len(batch.rois) in roi_counts or len(batch.rois) > max(roi_counts)

    run(scenario, decode_s)


def test_an_idle_engine_waits_for_nobody() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU)) as inside:
            served = await inside.send(1)
            assert served.queue_ms == 0
            assert loop.time() == pytest.approx(GPU.batch(1, 1) / 1000)

    run(scenario)


def test_what_comes_while_the_engine_works_leaves_together() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU)) as inside, asyncio.TaskGroup() as tasks:
            for marker in range(6):
                tasks.create_task(inside.send(marker, at=marker / 1000))
        assert [len(batch.images) for batch in inside.engine.batches] == [1, 5]

    run(scenario)


def test_one_client_with_a_thousand_jobs_does_not_starve_another_with_one() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(0, 10, 0))) as inside:
            flood = [asyncio.create_task(inside.send(1, client="flood")) for _ in range(1000)]
            await asyncio.sleep(0.035)
            sent = loop.time()
            await inside.send(2, client="single")
            # At most: the batch in the engine, the one that stands before it, the one that forms, and its own.
            assert loop.time() - sent <= 4 * 0.050
            for task in flood:
                task.cancel()
            await asyncio.wait(flood)

    run(scenario)


def test_interactive_callers_get_ten_times_the_share_of_batch_jobs() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(0, 10, 0)), replace(ENDLESS, images=1)) as inside:
            tasks = [
                asyncio.create_task(inside.send(marker, priority=priority))
                for marker, priority in ((1, Priority.BATCH), (2, Priority.INTERACTIVE))
                for _ in range(100)
            ]
            await asyncio.sleep(0.66)
            begun = inside.order()
            assert 9 <= begun.count(2) / begun.count(1) <= 11
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    run(scenario)


def test_at_the_end_what_was_launched_is_finished_and_the_rest_refused() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU), replace(ENDLESS, images=1)) as inside:
            tasks = [asyncio.create_task(inside.send(marker)) for marker in range(4)]
            await asyncio.sleep(0.001)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [BatchJob, BatchJob, Unavailable, Unavailable]
        with pytest.raises(Unavailable):
            await inside.send(5)

    run(scenario)


def test_no_canvas_starves_another_when_decoding_is_slow() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(0, 1, 1))) as inside:
            busy = True

            async def caller() -> None:
                while busy:
                    await inside.batcher.submit(work(1, canvas=CANVASES[0], client="flood"))

            flood = [asyncio.create_task(caller()) for _ in range(8)]
            await asyncio.sleep(0.1)
            sent = loop.time()
            await inside.batcher.submit(work(2, canvas=CANVASES[1], client="single"))
            assert loop.time() - sent < 0.1
            busy = False
            await asyncio.wait(flood)

    run(scenario, decode_s=0.005)
