"""Threads are shared fairly, long work waits for memory, and what runs is counted until it has really ended."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from hiseg.batching.admission import MIN_RESERVATION_BYTES, Admission, State
from hiseg.batching.workers import Workers, WorkingMemory, thread_count
from hiseg.core.errors import DeadlineExceeded, TooLarge
from hiseg.core.stop import Abandoned, Stop

MEBI = 1024 * 1024
TOTAL = 512 * MEBI
LONG = 100 * MEBI


class Bench:
    """Workers with two threads of each kind, and work that ends when the test says so."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.admission = Admission(TOTAL * 5 // 8)
        self.admission.state = State.READY
        self.memory = WorkingMemory(TOTAL, self.admission)
        self.workers = Workers(executor, 2, self.memory)
        self.begun: list[str] = []
        self.gates: list[threading.Event] = []

    def start(self, name: str, nbytes: int = 0, **options: Any) -> asyncio.Task[None]:
        gate = threading.Event()
        self.gates.append(gate)

        def work() -> None:
            self.begun.append(name)
            assert gate.wait(10)

        client = name.rstrip("0123456789")
        return asyncio.create_task(self.workers.run(work, client, nbytes, **options))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


def on_bench(scenario: Callable[[Bench], Any]) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(thread_count(2)) as executor:
            bench = Bench(executor)
            try:
                await scenario(bench)
            finally:
                for gate in bench.gates:
                    gate.set()
                async with asyncio.timeout(10):
                    while bench.workers.pending:
                        await settle()
            assert (bench.workers.pending, bench.workers.working_bytes, bench.memory.used) == (0, 0, 0)
            assert bench.admission.reserved_bytes == 0

    asyncio.run(run())


def test_short_work_finds_a_thread_however_much_long_work_there_is_and_so_does_another_client() -> None:
    async def scenario(bench: Bench) -> None:
        for number in range(4):
            bench.start(f"flood{number}", 40 * MEBI)
        bench.start("photo", 40 * MEBI)
        bench.start("frame", MEBI)
        await settle()
        assert sorted(bench.begun) == ["flood0", "flood1", "frame", "photo"]

    on_bench(scenario)


def test_clients_take_turns_for_threads() -> None:
    async def scenario(bench: Bench) -> None:
        for name in ("a0", "a1", "a2", "a3", "b0", "c0"):
            bench.start(name, MEBI)
        await settle()
        for gate in bench.gates:
            gate.set()
            await settle()
        assert bench.begun == ["a0", "a1", "a2", "b0", "c0", "a3"]

    on_bench(scenario)


def test_long_work_waits_for_memory_and_smaller_work_passes_it() -> None:
    async def scenario(bench: Bench) -> None:
        first = bench.start("a0", 300 * MEBI)
        bench.start("b0", 300 * MEBI)
        bench.start("c0", LONG)
        await settle()
        assert bench.begun == ["a0", "c0"]
        assert bench.workers.working_bytes == bench.memory.used == 400 * MEBI
        bench.gates[0].set()
        await first
        await settle()
        assert bench.begun == ["a0", "c0", "b0"]

    on_bench(scenario)


def test_the_wait_for_long_work_is_predicted_from_what_is_ahead_in_fair_turns() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.workers.wait_s("b", LONG) == 0
        for number in range(12):
            bench.start(f"a{number}", LONG)
        await settle()
        flood, other = bench.workers.wait_s("a", LONG), bench.workers.wait_s("b", LONG)
        assert flood > 4 * other > 0

    on_bench(scenario)


def test_work_that_needs_more_than_there_is_runs_alone() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.start("a0", LONG)
        bench.start("b0", 550 * MEBI)
        await settle()
        assert bench.begun == ["a0"]
        bench.gates[0].set()
        await other
        bench.start("c0", 40 * MEBI)
        await settle()
        assert bench.begun == ["a0", "b0"]

    on_bench(scenario)


def test_answers_that_are_not_written_yet_keep_no_work_from_beginning() -> None:
    async def scenario(bench: Bench) -> None:
        with bench.admission.admit("somebody") as waiting:
            waiting.reserve(240 * MEBI, unwritten=230 * MEBI)
            first = bench.start("a0", 400 * MEBI)
            await settle()
            assert bench.begun == ["a0"]
            bench.gates[0].set()
            await first
            waiting.answer_written()
            bench.start("b0", 400 * MEBI)
            await settle()
            assert bench.begun == ["a0"]
        await settle()
        assert bench.begun == ["a0", "b0"]
        assert bench.admission.unwritten_bytes == 0

    on_bench(scenario)


def test_long_work_begins_when_requests_give_memory_back() -> None:
    async def scenario(bench: Bench) -> None:
        with bench.admission.admit("somebody", 200 * MEBI):
            bench.start("a0", 400 * MEBI)
            await settle()
            assert bench.begun == []
        await settle()
        assert bench.begun == ["a0"]

    on_bench(scenario)


def test_what_could_never_begin_is_refused_for_good() -> None:
    async def scenario(bench: Bench) -> None:
        most = TOTAL * 9 // 8
        bench.workers.check_size(most)
        with pytest.raises(TooLarge) as raised:
            bench.workers.check_size(most + 1)
        assert (raised.value.field, raised.value.limit, raised.value.value) == ("image", most, most + 1)

    on_bench(scenario)


def test_cancelled_work_keeps_its_thread_and_its_bytes_until_it_has_ended() -> None:
    async def scenario(bench: Bench) -> None:
        with bench.admission.admit("a", 10 * MEBI) as reservation:
            task = bench.start("a0", LONG, reservation=reservation)
            await settle()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert (bench.admission.active_requests, bench.admission.reserved_bytes) == (0, 10 * MEBI)
        assert (bench.workers.pending, bench.workers.working_bytes) == (1, LONG)
        bench.gates[0].set()
        await settle()
        assert bench.admission.reserved_bytes == bench.workers.working_bytes == 0

    on_bench(scenario)


def test_work_cancelled_before_its_turn_never_runs_and_holds_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        tasks = [bench.start(f"a{number}", MEBI) for number in range(4)]
        await settle()
        tasks[2].cancel()
        await settle()
        for gate in bench.gates:
            gate.set()
        await settle()
        assert bench.begun == ["a0", "a1", "a3"]

    on_bench(scenario)


def test_threads_are_stuck_once_all_of_a_kind_do_work_that_nobody_has_needed_for_a_while() -> None:
    async def scenario(bench: Bench) -> None:
        stops = [Stop(), Stop()]
        for number, stop in enumerate(stops):
            bench.start(f"a{number}", stop=stop)
        await settle()
        stops[0].cancel()
        stops[0]._cancelled_at = -1e9
        assert not bench.workers.are_stuck
        stops[1].deadline = -1e9
        assert bench.workers.are_stuck

    on_bench(scenario)


def test_work_that_nobody_needs_by_its_turn_is_never_begun() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(DeadlineExceeded):
            await bench.start("a0", stop=Stop(deadline=0.0))
        cancelled = Stop()
        cancelled.cancel()
        with pytest.raises(Abandoned):
            await bench.start("a1", stop=cancelled)
        assert bench.begun == []

    on_bench(scenario)


def test_an_answer_that_is_being_sent_is_counted_but_is_no_request() -> None:
    admission = Admission(10 * MEBI)
    admission.state = State.READY
    with admission.admit("a", 9 * MEBI // 2) as request:
        answer = admission.keep("a", 20 * MEBI)
        assert admission.reserved_bytes == request.bytes + 20 * MEBI
    assert (admission.active_requests, admission.reserved_bytes) == (0, 20 * MEBI)
    with answer:
        pass
    assert admission.reserved_bytes == 0
    with admission.keep("a", 1):
        assert admission.reserved_bytes == MIN_RESERVATION_BYTES


def test_work_that_fails_leaves_nothing_of_its_memory_behind() -> None:
    class Pixels:
        """Something that can be looked for."""

    left = []

    def work() -> None:
        pixels = Pixels()
        left.append(weakref.ref(pixels))
        raise ValueError("broken")

    async def scenario(bench: Bench) -> None:
        with pytest.raises(ValueError, match="broken") as raised:
            await bench.workers.run(work)
        assert raised.value.__traceback__ is not None
        assert left[0]() is None

    on_bench(scenario)
