"""How large batches get, and who is refused for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.job import BatchJob, BatchLimits
from hiseg.core.errors import Overloaded, TooLarge
from hiseg.engines.base import Cost
from tests.service.batching.house import ENDLESS, GPU, house


def test_the_budget_bounds_a_batch_and_a_larger_job_runs_alone_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, budget_ms=GPU.batch(2, 4))
        async with house(loop, EchoEngine(GPU), limits) as inside, asyncio.TaskGroup() as tasks:
            for marker, rois in enumerate([1, 2, 2, 2, 40, 2, 2]):
                tasks.create_task(inside.send(marker, rois, at=marker / 1000))
        assert [len(batch.rois) for batch in inside.engine.batches] == [1, 4, 2, 40, 4]

    run(scenario)


def test_a_job_over_the_hard_limit_is_refused_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU), BatchLimits(rois=10)) as inside:
            with pytest.raises(TooLarge) as raised:
                await inside.send(1, rois=11)
            assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", 10, 11)
            assert not inside.engine.batches

    run(scenario)


@pytest.mark.parametrize(("limit", "most"), [({"images": 2}, 2), ({"bytes": 3 * 64 * 64 * 3}, 3), ({"rois": 5}, 5)])
def test_hard_limits_of_images_bytes_and_boxes(limit: dict[str, int], most: int) -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, budget_ms=1e9, **limit)
        async with house(loop, EchoEngine(GPU), limits) as inside, asyncio.TaskGroup() as tasks:
            for marker in range(20):
                tasks.create_task(inside.send(marker))
        sizes = [len(batch.images) for batch in inside.engine.batches]
        assert max(sizes) == most
        assert sum(sizes) == 20

    run(scenario)


def test_a_full_batch_stands_assembled_before_a_busy_engine_and_leaves_out_who_left() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, images=2)
        async with house(loop, EchoEngine(GPU), limits) as inside:
            tasks = [asyncio.create_task(inside.send(marker)) for marker in range(5)]
            await asyncio.sleep(0.001)
            # 0 runs, 1 and 2 stand before the engine, 3 and 4 form the batch behind.
            assert inside.batcher.waiting == 4
            tasks[1].cancel()
            tasks[3].cancel()
            await asyncio.wait(tasks)
            assert inside.order() == [0, 2, 4]
            assert inside.notes.drops == ["gone", "gone"]

    run(scenario)


def test_behind_a_blocked_engine_exactly_those_over_the_capacity_are_refused() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(Cost(0, 10, 0))
        engine.gate.clear()
        # While the first runs, others come in as long as at most 100 ms are before them.
        capacity, more = 1 + 10, 7
        async with house(loop, engine, BatchLimits(wait_ms=100)) as inside:
            sent = [asyncio.create_task(inside.send(marker)) for marker in range(capacity + more)]
            await asyncio.sleep(0.001)
            refused = [task for task in sent if task.done()]
            engine.gate.set()
            results = await asyncio.gather(*sent, return_exceptions=True)
        assert refused == sent[capacity:]
        for error in results[capacity:]:
            assert isinstance(error, Overloaded)
            assert (error.reason, error.retry_after) == ("wait", 1)
        assert all(isinstance(result, BatchJob) for result in results[:capacity])

    run(scenario)
