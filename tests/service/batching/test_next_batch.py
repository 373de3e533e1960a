"""Which jobs go into the next batch, and when it starts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.core.errors import DeadlineExceeded
from hiseg.engines.base import Batch, Cost, Prediction
from tests.service.batching.harness import CANVASES, ENDLESS, GPU, Harness, batch_job, running_batcher


def test_an_idle_engine_waits_for_nobody() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU)) as harness:
            served = await harness.send(1)
            assert served.queue_ms == 0
            assert loop.time() == pytest.approx(GPU.batch(1, 1) / 1000)

    run(scenario)


def test_what_comes_while_the_engine_works_leaves_together() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(GPU)) as harness, asyncio.TaskGroup() as tasks:
            for marker in range(6):
                tasks.create_task(harness.send(marker, at=marker / 1000))
        assert [len(batch.images) for batch in harness.engine.batches] == [1, 5]

    run(scenario)


@pytest.mark.parametrize(("people", "waits"), [(20, True), (100, False)])
def test_nobody_waits_for_a_crowd_if_the_engine_can_take_another_batch(people: int, waits: bool) -> None:
    cost = Cost(4, 1, 10)

    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(cost, extra=1)) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(1, people))
            tasks.create_task(harness.send(2, at=0.001))
            single = await harness.send(3, at=0.002)
            ended = loop.time()
        expected = cost.batch(1, people) + cost.batch(2, 2) if waits else 2 + 2 * cost.batch(1, 1)
        assert ended * 1000 == pytest.approx(expected, abs=2)
        assert single.prediction is not None

    run(scenario)


def test_crowds_come_one_after_the_other_and_keep_nobody_else_waiting() -> None:
    cost = Cost(4, 1, 10)

    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(cost, extra=1)) as harness, asyncio.TaskGroup() as tasks:
            crowds = [tasks.create_task(harness.send(marker, 100, client="crowds")) for marker in range(3)]
            for number in range(10):
                sent = (number + 1) * 0.2
                single = await harness.send(9, at=sent)
                assert single.prediction is not None
                assert (loop.time() - sent) * 1000 == pytest.approx(cost.batch(1, 1), abs=1)
            for task in crowds:
                assert (await task).prediction is not None
        crowded = [len(batch.rois) for batch in harness.engine.batches if len(batch.rois) > 1]
        assert crowded == [100, 100, 100]
        # Batches that share the slot of this engine don't slow each other.
        assert loop.time() * 1000 == pytest.approx(3 * cost.batch(1, 100), abs=cost.batch(1, 1))

    run(scenario)


def test_a_crowd_has_its_turn_among_those_who_never_pause() -> None:
    cost = Cost(4, 1, 10)

    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(cost, extra=1)) as harness:
            flood = [asyncio.create_task(caller(harness)) for _ in range(8)]
            await asyncio.sleep(0.1)
            sent = loop.time()
            await harness.send(1, 100, client="crowd")
            assert loop.time() - sent < 2 * (cost.batch(1, 100) + 8 * cost.batch(1, 1)) / 1000
            for task in flood:
                task.cancel()
            await asyncio.wait(flood)

    async def caller(harness: Harness) -> None:
        while True:
            await harness.send(2, client="flood")

    run(scenario)


def test_no_canvas_starves_another_when_decoding_is_slow() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(0, 1, 1))) as harness:
            busy = True

            async def caller() -> None:
                while busy:
                    await harness.batcher.submit(batch_job(1, canvas=CANVASES[0], client="flood"))

            flood = [asyncio.create_task(caller()) for _ in range(8)]
            await asyncio.sleep(0.1)
            sent = loop.time()
            await harness.batcher.submit(batch_job(2, canvas=CANVASES[1], client="single"))
            assert loop.time() - sent < 0.1
            busy = False
            await asyncio.wait(flood)

    run(scenario, decode_s=0.005)


def test_the_budget_bounds_a_batch_and_a_larger_job_runs_alone_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, budget_ms=GPU.batch(2, 4))
        async with running_batcher(loop, EchoEngine(GPU), limits) as harness, asyncio.TaskGroup() as tasks:
            for marker, rois in enumerate([1, 2, 2, 2, 40, 2, 2]):
                tasks.create_task(harness.send(marker, rois, at=marker / 1000))
        assert [len(batch.rois) for batch in harness.engine.batches] == [1, 4, 2, 40, 4]

    run(scenario)


@pytest.mark.parametrize(("limit", "most"), [({"images": 2}, 2), ({"bytes": 3 * 64 * 64 * 3}, 3), ({"rois": 5}, 5)])
def test_hard_limits_of_images_bytes_and_boxes(limit: dict[str, int], most: int) -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, budget_ms=1e9, **limit)
        async with running_batcher(loop, EchoEngine(GPU), limits) as harness, asyncio.TaskGroup() as tasks:
            for marker in range(20):
                tasks.create_task(harness.send(marker))
        sizes = [len(batch.images) for batch in harness.engine.batches]
        assert max(sizes) == most
        assert sum(sizes) == 20

    run(scenario)


def test_a_full_batch_stands_assembled_before_a_busy_engine_and_leaves_out_who_left() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, images=2)
        async with running_batcher(loop, EchoEngine(GPU), limits) as harness:
            tasks = [asyncio.create_task(harness.send(marker)) for marker in range(5)]
            await asyncio.sleep(0.001)
            # 0 runs, 1 and 2 stand before the engine, 3 and 4 form the batch behind.
            assert harness.batcher.waiting == 4
            tasks[1].cancel()
            tasks[3].cancel()
            await asyncio.wait(tasks)
            assert harness.order() == [0, 2, 4]
            assert harness.notes.drops == ["gone", "gone"]

    run(scenario)


def test_a_deadline_that_passes_in_the_queue_drops_the_job_before_the_engine() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        # The engine is slower than it says, so jobs are let in what can't be done in time.
        engine = EchoEngine(Cost(100, 0, 0), prior=Cost(1, 1, 1))
        async with running_batcher(loop, engine) as harness:
            tasks = [asyncio.create_task(harness.send(marker, deadline=0.3)) for marker in range(2)]
            await asyncio.sleep(0.003)
            tasks.append(asyncio.create_task(harness.send(2, at=0.003, deadline=0.101)))
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[2], DeadlineExceeded)
            assert harness.order() == [0, 1]
            assert harness.notes.drops == ["deadline"]

    run(scenario)


def test_jobs_that_would_make_another_late_go_into_the_next_batch() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(0, 10, 0))) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(0))
            await asyncio.sleep(0.001)
            urgent = tasks.create_task(harness.send(1, deadline=0.05))
            for marker in (2, 3, 4, 5):
                tasks.create_task(harness.send(marker))
            await urgent
            assert loop.time() <= 0.05
        assert [len(batch.images) for batch in harness.engine.batches] == [1, 4, 1]

    run(scenario)


PICTURE_MS = 40


PICTURE = Cost(0.0, PICTURE_MS, 0.0)


"""Two are over the budget: every job is a batch of its own."""


class Shared(EchoEngine):
    """One slot with room for two batches, each of which then takes twice as long; it stands for a machine's cores."""

    def __init__(self) -> None:
        super().__init__(prior=PICTURE, extra=1)
        self.at_once = 0
        self.began: list[int] = []

    async def infer(self, batch: Batch) -> Prediction:
        self.began.append(round(asyncio.get_running_loop().time() * 1000))
        self.at_once += 1
        assert self.at_once <= self.max_in_flight
        for _ in range(PICTURE_MS):
            await asyncio.sleep(self.at_once / 1000)
        self.at_once -= 1
        return await super().infer(batch)


def begun(jobs: int) -> list[int]:
    """When the engine got each of so many jobs that come at once, in milliseconds."""

    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, engine) as harness:
            await asyncio.gather(*(harness.send(marker) for marker in range(jobs)))
            # Learnt from as if each had had the slot for itself: an idle engine is as fast as before.
            await asyncio.sleep(1)
            assert harness.batcher.cost_model.now.batch(1, 1) == pytest.approx(PICTURE_MS, rel=0.05)
            took = [report.real_ms for report in harness.notes.batches]
            assert took == pytest.approx([PICTURE_MS] * jobs, rel=0.05)

    engine = Shared()
    run(scenario)
    return engine.began


def test_the_last_that_waits_gets_the_slot_for_itself() -> None:
    assert begun(jobs=2) == [0, PICTURE_MS]


def test_while_more_wait_a_slot_is_shared() -> None:
    assert begun(jobs=3)[:2] == [0, 0]
    assert len(begun(jobs=9)) == 9
