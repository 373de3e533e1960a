"""Schedules of jobs in virtual time: which are admitted, what each gets, and which are refused."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.admission import Admission
from hiseg.batching.batcher import Batcher
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.batching.latest import Superseded
from hiseg.batching.workers import Workers, WorkingMemory, thread_count
from hiseg.core.errors import DeadlineExceeded, Overloaded, TooLarge, Unavailable
from hiseg.core.job import Priority
from hiseg.engines.base import Cost
from tests.service.batching.harness import CANVASES, ENDLESS, GPU, assert_own_rows, batch_job, running_batcher

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

        async def caller(marker: int, at: int, leaves: int | None, **options: object) -> BatchJob | None:
            try:
                async with asyncio.timeout_at(None if leaves is None else (at + leaves) / 1000):
                    return await harness.send(marker, at=at / 1000, **options)
            except (TimeoutError, Superseded):
                return None

        async with running_batcher(loop, engine, limits) as harness:
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
            assert harness.batcher.waiting == 0
            assert harness.batcher.wait_estimator.waiting_ms == 0, "nothing is counted as waiting any more"
        order = harness.order()
        assert len(order) == len(set(order)), "no job runs twice"
        gone = sum(task.result() is None for task in callers)
        assert len(jobs) - gone <= len(order) <= len(jobs)
        for batch in engine.batches:
            assert len(batch.images) <= 3
            assert not roi_counts or len(batch.rois) in roi_counts or len(batch.rois) > max(roi_counts)

    run(scenario, decode_s)


def test_one_client_with_a_thousand_jobs_does_not_starve_another_with_one() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(0, 10, 0))) as harness:
            flood = [asyncio.create_task(harness.send(1, client="flood")) for _ in range(1000)]
            await asyncio.sleep(0.035)
            sent = loop.time()
            await harness.send(2, client="single")
            # At most: the batch in the engine, the one that stands before it, the one that forms, and its own.
            assert loop.time() - sent <= 4 * 0.050
            for task in flood:
                task.cancel()
            await asyncio.wait(flood)

    run(scenario)


def test_interactive_callers_get_ten_times_the_share_of_batch_jobs() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(0, 10, 0)), replace(ENDLESS, images=1)) as harness:
            tasks = [
                asyncio.create_task(harness.send(marker, priority=priority))
                for marker, priority in ((1, Priority.BATCH), (2, Priority.INTERACTIVE))
                for _ in range(100)
            ]
            await asyncio.sleep(0.66)
            begun = harness.order()
            assert 9 <= begun.count(2) / begun.count(1) <= 11
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    run(scenario)


def test_at_the_end_what_was_launched_is_finished_and_the_rest_refused() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU), replace(ENDLESS, images=1)) as harness:
            tasks = [asyncio.create_task(harness.send(marker)) for marker in range(4)]
            await asyncio.sleep(0.001)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [BatchJob, BatchJob, Unavailable, Unavailable]
        with pytest.raises(Unavailable):
            await harness.send(5)

    run(scenario)


def test_a_job_over_the_hard_limit_is_refused_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU), BatchLimits(rois=10)) as harness:
            with pytest.raises(TooLarge) as raised:
                await harness.send(1, rois=11)
            assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", 10, 11)
            assert not harness.engine.batches

    run(scenario)


def test_behind_a_blocked_engine_exactly_those_over_the_capacity_are_refused() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(Cost(0, 10, 0))
        engine.gate.clear()
        # While the first runs, others come in as long as at most 100 ms are before them.
        capacity, more = 1 + 10, 7
        async with running_batcher(loop, engine, BatchLimits(wait_ms=100)) as harness:
            sent = [asyncio.create_task(harness.send(marker)) for marker in range(capacity + more)]
            await asyncio.sleep(0.001)
            refused = [task for task in sent if task.done()]
            engine.gate.set()
            results = await asyncio.gather(*sent, return_exceptions=True)
        assert refused == sent[capacity:]
        for error in results[capacity:]:
            assert isinstance(error, Overloaded)
            assert (error.reason, error.retry_after) == ("WAIT_TOO_LONG", 1)
        assert all(isinstance(result, BatchJob) for result in results[:capacity])

    run(scenario)


def test_a_thousand_callers_who_left_never_reach_the_engine() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU)
        engine.gate.clear()
        async with running_batcher(loop, engine) as harness:
            first = asyncio.create_task(harness.send(0))
            await asyncio.sleep(0)
            others = [asyncio.create_task(harness.send(1)) for _ in range(1000)]
            await asyncio.sleep(0.001)
            for other in others:
                other.cancel()
            await asyncio.wait(others)
            assert harness.batcher.waiting == 0
            engine.gate.set()
            assert_own_rows(await first, 0, 1)
            last = await harness.send(2)
            assert_own_rows(last, 2, 1)
            assert harness.order() == [0, 2]
            assert harness.notes.drops == ["gone"] * 1000

    run(scenario)


def test_a_job_predicted_to_miss_its_deadline_is_refused_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(0, 10, 0))) as harness, asyncio.TaskGroup() as tasks:
            for marker in range(10):
                tasks.create_task(harness.send(marker))
            await asyncio.sleep(0.001)
            with pytest.raises(Overloaded) as raised:
                await harness.send(11, deadline=0.08)
            assert raised.value.reason == "WAIT_PAST_DEADLINE"
            with pytest.raises(DeadlineExceeded):
                await harness.send(11, deadline=loop.time() + 0.005)
            tasks.create_task(harness.send(12, deadline=0.15))
        assert harness.order() == [*range(10), 12]

    run(scenario)


def test_a_deadline_counts_the_whole_batch_and_not_the_jobs_part_of_it() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(100, 1, 1))) as harness:
            with pytest.raises(DeadlineExceeded):
                await harness.send(1, deadline=0.05)
            assert not harness.engine.batches

    run(scenario)


@pytest.mark.parametrize("latest", [False, True])
@pytest.mark.parametrize("canvas", CANVASES)
def test_nobody_waits_for_images_that_take_long_to_decode(canvas: tuple[int, int], latest: bool) -> None:
    decoded = threading.Event()

    def slow_job() -> BatchJob:
        job = batch_job(7, canvas=CANVASES[0], client="slow", latest=latest, prepare_bytes=100 * 2**20)
        prepare = job.prepare

        def prepare_late() -> Prepared:
            assert decoded.wait(10)
            return prepare()

        job.prepare = prepare_late
        return job

    async def scenario() -> None:
        engine, admission = EchoEngine(), Admission(512 * 2**20)
        with ThreadPoolExecutor(thread_count(2)) as executor:
            workers = Workers(executor, 2, WorkingMemory(512 * 2**20, admission))
            async with Batcher(engine, workers, limits=ENDLESS).running() as batcher:
                slow = [asyncio.create_task(batcher.submit(slow_job())) for _ in range(1 if latest else 20)]
                await asyncio.sleep(0.01)
                for marker in range(3):
                    await asyncio.wait_for(batcher.submit(batch_job(marker, canvas=canvas, client="quick")), 5)
                assert batcher.wait_estimator.waiting_ms == 0, "what is being decoded delays nobody"
                assert not any(task.done() for task in slow)
                decoded.set()
                await asyncio.gather(*slow)

    asyncio.run(scenario())
