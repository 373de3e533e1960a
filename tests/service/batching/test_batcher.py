"""Schedules of jobs through the batcher, in virtual time: who gets what, who runs when, who never runs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batching.batcher import Batcher, BatchLimits
from service.batching.work import Prepared, Served, Superseded, Work
from service.domain import Priority
from service.engines.base import Batch, Cost, Prediction, Wants
from service.errors import DeadlineExceeded, Overloaded, TooLarge, Unavailable, UndecodableImage
from tests.service.fakes import EchoEngine, Notes
from tests.service.virtual_time import VirtualLoop, run

GPU = Cost(4.0, 1.0, 1.0)
ENDLESS = BatchLimits(wait_ms=math.inf)
ROOMY = replace(ENDLESS, budget_ms=1000)
CANVASES = ((64, 64), (48, 64))


@dataclass
class House:
    """A batcher and what one can see of it."""

    batcher: Batcher
    engine: EchoEngine
    notes: Notes
    loop: VirtualLoop

    async def send(self, marker: float, rois: int = 1, at: float = 0.0, **given: object) -> Served[Prepared]:
        await asyncio.sleep(at - self.loop.time())
        return await self.batcher.submit(work(marker, rois, **given))

    def order(self) -> list[float]:
        """Markers of the jobs in the order the engine got them."""
        return [round(float(image[0, 0, 0])) for batch in self.engine.batches for image in batch.images]


@asynccontextmanager
async def house(loop: VirtualLoop, engine: EchoEngine, limits: BatchLimits = ENDLESS) -> AsyncIterator[House]:
    notes = Notes()
    async with Batcher(engine, ThreadPoolExecutor(1), notes, limits, clock=loop.time).running() as batcher:
        yield House(batcher, engine, notes, loop)


def work(marker: float, rois: int = 1, canvas: tuple[int, int] = CANVASES[0], **given: object) -> Work[Prepared]:
    """A job whose rows can be told from all others: image full of ``marker``, RoI k at x1 = marker + k/1000."""

    def prepare() -> Prepared:
        rows = np.zeros((rois, 4), dtype=np.float32)
        rows[:, 0] = marker + np.arange(rois) / 1000
        return Prepared(np.full((3, *canvas), marker, dtype=np.uint8), rows)

    return Work(canvas, rois, prepare, **given)  # type: ignore[arg-type]


def assert_own_rows(served: Served[Prepared], marker: int, rois: int) -> None:
    expected = 1 + marker + np.arange(rois) / 1000
    assert served.prediction.margins.shape == (rois, 8, 6)
    np.testing.assert_allclose(served.prediction.margins[:, 0, 0], expected, rtol=1e-6)
    assert served.prediction.foreground.shape[0] == 1
    np.testing.assert_allclose(served.prediction.foreground, np.float32(marker) / 255)


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


@settings(max_examples=10_000)
@given(
    JOBS,
    st.sampled_from([1, 2]),
    st.sampled_from([(), (2, 4, 8)]),
    st.integers(1, 40),
    st.sampled_from([0, 0.003, 0.02]),
)
def test_every_caller_gets_exactly_its_own_rows(
    jobs: list[tuple[int, int, tuple[int, int], str, Priority, int | None, bool]],
    slots: int,
    roi_counts: tuple[int, ...],
    budget: int,
    decode_s: float,
) -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU, slots=slots, roi_counts=roi_counts)
        limits = replace(ENDLESS, budget_ms=budget, images=3)

        async def caller(marker: int, at: int, leaves: int | None, **given: object) -> Served[Prepared] | None:
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
            assert inside.batcher.backlog.waiting_ms == 0, "the ledger is back at zero"
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


def test_the_budget_bounds_a_batch_and_a_larger_job_runs_alone_once() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ENDLESS, budget_ms=GPU.batch(2, 4))
        async with house(loop, EchoEngine(GPU), limits) as inside, asyncio.TaskGroup() as tasks:
            for marker, rois in enumerate([1, 2, 2, 2, 40, 2, 2]):
                tasks.create_task(inside.send(marker, rois, at=marker / 1000))
        assert [len(batch.rois) for batch in inside.engine.batches] == [1, 4, 2, 40, 4]

    run(scenario)


async def superseded(inside: House, marker: float, at: float, client: str = "camera") -> bool:
    """Whether a frame of a live camera had to go for a newer one; else it got its rows."""
    try:
        await inside.send(marker, at=at, client=client, latest=True)
    except Superseded:
        return True
    return False


def test_of_a_live_camera_the_newest_that_is_ready_goes() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        # Decoding takes 3 ms: number 5 is too late for the second batch, which doesn't wait for it.
        async with house(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as inside, asyncio.TaskGroup() as tasks:
            tasks.create_task(inside.send(0))
            tasks.create_task(inside.send(9, at=0.02))
            times = enumerate([0.01, 0.03, 0.05, 0.09, 0.102], 1)
            frames = [tasks.create_task(superseded(inside, marker, at)) for marker, at in times]
        assert [frame.result() for frame in frames] == [True, True, True, False, False]
        assert inside.order() == [0, 4, 9, 5]
        assert [len(batch.images) for batch in inside.engine.batches] == [1, 2, 1]
        assert inside.notes.drops == ["superseded"] * 3

    run(scenario, 0.003)


def test_a_live_camera_that_is_always_replaced_keeps_its_turn() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ROOMY, images=1)
        async with house(loop, EchoEngine(Cost(100, 0, 0)), limits) as inside, asyncio.TaskGroup() as tasks:
            for marker in range(3):
                tasks.create_task(inside.send(marker, client=str(marker)))
            frames = [tasks.create_task(superseded(inside, 10 + k, 0.001 + 0.01 * k)) for k in range(12)]
            for marker in range(3, 6):
                tasks.create_task(inside.send(marker, at=0.002, client=str(marker)))
        assert sum(not frame.result() for frame in frames) == 1
        assert not frames[-1].result()
        order = inside.order()
        assert order[:3] == [0, 1, 2]
        assert order.index(21) == 3

    run(scenario)


def test_a_frame_that_breaks_or_whose_caller_leaves_takes_nobodys_place() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        def breaks() -> Prepared:
            raise UndecodableImage("it is broken")

        async with house(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as inside, asyncio.TaskGroup() as tasks:
            tasks.create_task(inside.send(0))
            kept = tasks.create_task(superseded(inside, 1, 0.01))
            leaving = tasks.create_task(superseded(inside, 2, 0.02))
            await asyncio.sleep(0.021)
            leaving.cancel()
            with pytest.raises(UndecodableImage):
                await inside.batcher.submit(replace(work(3, client="camera", latest=True), prepare=breaks))
        assert not kept.result()
        assert inside.order() == [0, 1]
        assert inside.notes.drops == ["gone"]

    run(scenario, 0.003)


def test_frames_of_other_sizes_do_not_replace_each_other() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as inside, asyncio.TaskGroup() as tasks:
            tasks.create_task(inside.send(0))
            for marker, canvas in enumerate(CANVASES, 1):
                tasks.create_task(inside.send(marker, at=0.01 * marker, client="camera", canvas=canvas, latest=True))
        assert inside.order() == [0, 1, 2]

    run(scenario, 0.003)


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
        engine = EchoEngine(Cost(100, 0, 0), seed=Cost(1, 1, 1))
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
        assert all(isinstance(result, Served) for result in results[:capacity])

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


def test_a_job_that_cannot_be_prepared_fails_alone() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        def broken() -> Prepared:
            raise UndecodableImage("damaged", field="image")

        async with house(loop, EchoEngine(GPU)) as inside:
            jobs = [work(0), replace(work(1), prepare=broken), work(2)]
            results = await asyncio.gather(*(inside.batcher.submit(job) for job in jobs), return_exceptions=True)
            assert isinstance(results[1], UndecodableImage)
            assert inside.order() == [0, 2]
            assert inside.batcher.backlog.waiting_ms == 0

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
            assert [type(result) for result in results] == [Served, Served, RuntimeError, Served]
            assert_own_rows(await inside.send(15), 15, 1)
            assert inside.batcher.backlog.waiting_ms == 0

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


def test_at_the_end_what_was_launched_is_finished_and_the_rest_refused() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with house(loop, EchoEngine(GPU), replace(ENDLESS, images=1)) as inside:
            tasks = [asyncio.create_task(inside.send(marker)) for marker in range(4)]
            await asyncio.sleep(0.001)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [Served, Served, Unavailable, Unavailable]
        with pytest.raises(Unavailable):
            await inside.send(5)

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
            assert inside.batcher.backlog.wait_ms("", 1.0, 10.0) == pytest.approx(500, rel=0.05)
            await asyncio.wait(tasks)

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
            assert (it.batcher.waiting, it.batcher.backlog.waiting_ms) == (0, 0)
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
            first = asyncio.create_task(it.send(0, wants=Wants.FOREGROUND))
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(it.send(1, wants=Wants.FOREGROUND, deadline=5.0)),
                asyncio.create_task(it.send(2, wants=Wants.MASKS, deadline=9.0, traceparent="00-a")),
            ]
            await asyncio.sleep(0.001)
            it.engine.gate.set()
            await asyncio.gather(first, *rest)
            alone, both = (batch.terms for batch in it.engine.batches)
            assert (alone.wants, alone.deadline, alone.traceparent) == (Wants.FOREGROUND, None, "")
            assert (both.wants, both.deadline, both.traceparent) == (Wants.BOTH, 9.0, "00-a")
            assert both.cost_ms > 0

    run(scenario)
