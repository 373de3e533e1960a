"""The threads that decode images, draw masks and write answers: whose turn it is, and what memory they take meanwhile.

A thread can't be taken away from work that has begun. So short work has threads of its own, which no long work ever
takes; clients take turns; and no client has all threads for long work. What long work takes is counted before it
begins: it waits until so much memory is free, for as long as its caller does. Work whose caller has left keeps its
thread and its bytes in the books until it has really ended, which :class:`hiseg.core.stop.Stop` makes soon.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hiseg.batching.admission import Admission, Reservation
from hiseg.core.errors import Reason, TooLarge
from hiseg.core.heap import return_freed_memory
from hiseg.core.stop import NEVER, Stop

MAX_SHORT_BYTES = 32 * 1024 * 1024
"""Work that takes no more memory is short: a frame of 4K is, a photo of 12 megapixels isn't."""
SHORT_PART = 1 / 8
"""Part of all memory that is kept for short work; with many threads, less counts as short."""
OVERDRAFT_PART = 1 / 4
"""Part of all memory by which long work that runs alone may exceed what is free."""
TRIM_BYTES = 128 * 1024 * 1024
"""After work that took more memory, what has been freed goes back to the system at once, before other work begins."""
SECONDS_PER_BYTE, MAX_SECONDS_PER_BYTE = 4e-9, 4e-8
"""How long long work is expected to take at first, and at most, for each byte of memory that it takes."""
STUCK_SECONDS = 10.0
"""Seconds after which threads that all do work which nobody needs any more count as stuck."""
T = TypeVar("T")


def largest_work_bytes(total_bytes: int) -> int:
    """Most bytes that one piece of work may take, when it runs alone.

    Args:
        total_bytes: bytes that requests and work may hold together.
    """
    return int(total_bytes * (1 - SHORT_PART)) + int(total_bytes * OVERDRAFT_PART)


class WorkingMemory:
    """The memory that long work may take: what requests don't hold, without the part for short work.

    Args:
        total_bytes: bytes that requests and work may hold together.
        admission: knows what requests hold.
    """

    def __init__(self, total_bytes: int, admission: Admission) -> None:
        self.limit = int(total_bytes * (1 - SHORT_PART))
        self.largest = largest_work_bytes(total_bytes)
        self.overdraft = self.largest - self.limit
        self.for_short = total_bytes - self.limit
        self.admission = admission
        self.used = 0

    @property
    def free(self) -> int:
        """Bytes that further long work may take now.

        Answers that aren't written yet are left out: who waits with them would keep everybody's work from beginning,
        and what writing them takes is part of their own work.
        """
        overdraft = 0 if self.used else self.overdraft
        held = self.admission.reserved_bytes - self.admission.unwritten_bytes
        return self.limit + overdraft - self.used - held


@dataclass(eq=False, slots=True)
class _Work:
    client: str
    nbytes: int
    stop: Stop
    reservation: Reservation | None
    turn: asyncio.Future[None] | None = None
    began: float = 0.0


@dataclass(slots=True)
class _Lane:
    """Work of one kind: what runs, at most ``threads`` at once, and what waits, by client in the order of their turns.

    Attributes:
        threads: how much runs at once.
        of_client: how much of one client's runs at once.
    """

    threads: int
    of_client: int
    running: dict[_Work, None] = field(default_factory=dict)
    waiting: dict[str, deque[_Work]] = field(default_factory=dict)

    def put(self, work: _Work) -> None:
        self.waiting.setdefault(work.client, deque()).append(work)

    def remove(self, work: _Work) -> None:
        """Take waiting work out; its client, if it has more, goes to the end of the turns."""
        works = self.waiting.pop(work.client)
        works.remove(work)
        if works:
            self.waiting[work.client] = works


class Workers:
    """Runs work in threads, in fair turns.

    Args:
        executor: has the threads; :func:`thread_count` says how many are needed.
        threads: how much short work runs at once, and how much long work of one client.
        memory: what long work may take; None: there is no limit, and no work counts as long.
    """

    def __init__(self, executor: Executor, threads: int = 1, memory: WorkingMemory | None = None) -> None:
        self._executor = executor
        self._memory = memory
        self._short_bytes = min(MAX_SHORT_BYTES, memory.for_short // threads) if memory else None
        self._short = _Lane(threads, threads)
        self._long = _Lane(threads + 1, threads)
        self._seconds_per_byte = SECONDS_PER_BYTE
        if memory:
            memory.admission.subscribe_freed(self._begin_long)

    @property
    def working_bytes(self) -> int:
        """Bytes that work takes now, by the books."""
        return sum(work.nbytes for lane in (self._short, self._long) for work in lane.running)

    @property
    def pending(self) -> int:
        """Number of pieces of work that run or wait for their turn."""
        lanes = (self._short, self._long)
        return sum(len(lane.running) + sum(map(len, lane.waiting.values())) for lane in lanes)

    @property
    def are_stuck(self) -> bool:
        """Whether all threads of a kind have done nothing but work that nobody needs for :data:`STUCK_SECONDS`."""
        return any(
            len(lane.running) == lane.threads and all(work.stop.set_for_s > STUCK_SECONDS for work in lane.running)
            for lane in (self._short, self._long)
        )

    def is_long(self, nbytes: int) -> bool:
        """Whether work that takes so many bytes is long."""
        return self._short_bytes is not None and nbytes > self._short_bytes

    def wait_s(self, client: str, nbytes: int) -> float:
        """Predict the seconds until long work of a client would begin, if it came now.

        Before its turn each other client gets as much as it, but no more than it has waiting.
        """
        own = nbytes + sum(work.nbytes for work in self._long.waiting.get(client, ()))
        ahead = sum(min(own, sum(work.nbytes for work in works)) for works in self._long.waiting.values())
        if not ahead and len(self._long.running) < self._long.of_client:
            return 0.0
        running = sum(work.nbytes for work in self._long.running) / 2
        return (ahead + running) * self._seconds_per_byte / self._long.of_client

    def check_size(self, nbytes: int) -> None:
        """Refuse work that could never begin.

        Raises:
            TooLarge: it takes more memory than the service may ever use for it.
        """
        limit = self._memory.largest if self._memory else nbytes
        if nbytes > limit:
            raise TooLarge(
                f"it takes {nbytes} bytes of memory to decode the image and draw its masks; at most {limit} are used",
                reason=Reason.TOO_MUCH_MEMORY,
                field="image",
                limit=limit,
                value=nbytes,
            )

    async def run(
        self,
        function: Callable[[], T],
        client: str = "",
        nbytes: int = 0,
        stop: Stop = NEVER,
        reservation: Reservation | None = None,
        takes_long: bool = False,
    ) -> T:
        """Call ``function`` in a thread when its turn has come, and return what it returns.

        Cancelled before its turn, it is never called. Cancelled later, it runs on until it has ended, and is counted
        until then.

        Args:
            function: the work.
            client: who has a share of the threads for it.
            nbytes: the most bytes that it takes at any moment.
            stop: says whether it is needed at all.
            reservation: memory that it uses beside its own, and that is kept until it has ended.
            takes_long: it may take long though it takes little memory.

        Raises:
            Exception: whatever ``function`` raises, or :meth:`Stop.check` before it is called.
        """
        work = _Work(client, nbytes, stop, reservation)
        lane = self._long if takes_long or self.is_long(nbytes) else self._short
        if not lane.waiting.get(client) and self._may_begin(lane, work):
            self._begin(lane, work)
        else:
            await self._wait(lane, work)
        try:
            running = asyncio.get_running_loop().run_in_executor(
                self._executor, _call, function, stop, nbytes > TRIM_BYTES
            )
        except BaseException:
            self._end(lane, work)
            raise
        running.add_done_callback(partial(self._end, lane, work))
        return await asyncio.shield(running)

    async def _wait(self, lane: _Lane, work: _Work) -> None:
        """Wait for the turn of work, which has begun then."""
        work.turn = asyncio.get_running_loop().create_future()
        lane.put(work)
        try:
            await work.turn
        except asyncio.CancelledError:
            if work in lane.running:  # its turn came at the same moment
                self._end(lane, work)
            else:
                lane.remove(work)
                self._advance(lane)
            raise

    def _may_begin(self, lane: _Lane, work: _Work) -> bool:
        if len(lane.running) >= lane.threads:
            return False
        if lane is self._short or self._memory is None:
            return True
        of_client = sum(other.client == work.client for other in lane.running)
        return of_client < lane.of_client and work.nbytes <= self._memory.free

    def _begin(self, lane: _Lane, work: _Work) -> None:
        lane.running[work] = None
        work.began = time.monotonic()
        if lane is self._long and self._memory:
            self._memory.used += work.nbytes
        if work.reservation:
            work.reservation.retain()

    def _end(self, lane: _Lane, work: _Work, ended: asyncio.Future[Any] | None = None) -> None:
        if ended and not ended.cancelled():
            ended.exception()  # if its caller has left, nobody else looks at it, and asyncio would log that
        del lane.running[work]
        if lane is self._long and self._memory:
            self._memory.used -= work.nbytes
            if ended and self.is_long(work.nbytes):
                pace = (time.monotonic() - work.began) / work.nbytes
                self._seconds_per_byte += 0.1 * (min(pace, MAX_SECONDS_PER_BYTE) - self._seconds_per_byte)
        if work.reservation:
            work.reservation.release()
        self._advance(lane)

    def _begin_long(self) -> None:
        if self._long.waiting:
            self._advance(self._long)

    def _advance(self, lane: _Lane) -> None:
        """Let work begin whose turn has come; what finds too little memory lets others pass."""
        while (work := next((head for head in _heads(lane) if self._may_begin(lane, head)), None)) is not None:
            lane.remove(work)
            self._begin(lane, work)
            if work.turn is not None and not work.turn.done():
                work.turn.set_result(None)


def thread_count(threads: int) -> int:
    """How many threads the executor of :class:`Workers` needs, so that nothing whose turn has come waits for one."""
    return 2 * threads + 1


def _heads(lane: _Lane) -> list[_Work]:
    """The work that comes next of each client that waits, in the order of their turns; none if no thread is free."""
    return [works[0] for works in lane.waiting.values()] if len(lane.running) < lane.threads else []


def _call(function: Callable[[], T], stop: Stop, trims: bool) -> T:
    stop.check()
    try:
        return function()
    except BaseException as error:
        # Its traceback would keep the variables of the work, such as decoded pixels and masks, alive.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        if trims:
            return_freed_memory()
