"""Predicts how long a new job would wait: from the jobs that wait already, by client, and the pace at which they go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from hiseg.core.errors import DeadlineExceeded, Overloaded, Reason

DEADLINE_MARGIN = 0.25
"""Part of the time until a deadline that is kept free for errors of the prediction."""
MAX_PACE = 10.0
"""The highest pace that is believed, and its inverse the lowest, so that a single pause refuses nobody afterwards."""

LONG_JOB_MS = 250.0
"""A job that costs more, such as a crowd of a hundred people, has an engine slot for itself and whoever shares it."""


class WaitingJob(Protocol):
    """What :class:`WaitEstimator` has to know of a job; nothing of it may change while the job waits."""

    @property
    def client(self) -> str:
        """The client that sent it."""

    @property
    def share(self) -> float:
        """Weight of the client, above 0."""

    @property
    def cost_ms(self) -> float:
        """Predicted milliseconds that it adds to a batch."""

    @property
    def alone_ms(self) -> float:
        """Predicted milliseconds of a batch of this job alone."""


def is_long(jobs: Iterable[WaitingJob]) -> bool:
    """Whether one of the jobs of a batch is long; it is the only one then."""
    return any(job.cost_ms > LONG_JOB_MS for job in jobs)


@dataclass(eq=False, slots=True)
class InFlightBatch:
    """A batch in the engine.

    Attributes:
        queued_ms: sum of its jobs' ``cost_ms``: less than ``predicted_ms``, since a batch as such costs something too.
        predicted_ms: milliseconds of an engine slot that it is predicted to use.
        is_shared: whether it is a long job, with which others share the slot where the engine can do that.
        used_ms: those that it has used by now.
    """

    queued_ms: float
    predicted_ms: float
    is_shared: bool = False
    used_ms: float = 0.0


@dataclass(slots=True)
class _ClientWaiting:
    jobs: int = 0
    cost_ms: float = 0.0


class WaitEstimator:
    """Keeps account of the jobs that wait for one engine and of the batches in it.

    Args:
        clock: seconds, monotonic.
        max_wait_ms: a job is refused if its predicted wait is longer.
        slots: number of batches that the engine runs at once; if there are more, they share its slots.
        can_share: whether the engine runs more batches than it has slots.
    """

    def __init__(self, clock: Callable[[], float], max_wait_ms: float, slots: int = 1, can_share: bool = False) -> None:
        self._clock = clock
        self._max_wait_ms = max_wait_ms
        self._waiting: dict[tuple[str, float], _ClientWaiting] = {}
        self._running: list[InFlightBatch] = []
        self._slots = max(1, slots)
        self._can_share = can_share
        self._accounted_at = clock()
        # Wall milliseconds for a millisecond of queued cost: below 1 with several slots, above 1 for what a batch as
        # such costs, where decoding is the bottleneck, or where the cost model is behind.
        self._pace = 1 / self._slots
        self._answer_ms = 0.0
        self._last_end: float | None = None

    @property
    def waiting_ms(self) -> float:
        """Predicted milliseconds of all jobs that wait; exactly 0 when there are none."""
        return sum(waiting.cost_ms for waiting in self._waiting.values())

    def resize(self, slots: int, can_share: bool) -> None:
        """Note that the engine has another number of slots; 0, for a while, says nothing of the pace afterwards."""
        self._can_share = can_share
        if slots:
            self._account()
            self._pace *= self._slots / slots
            self._slots = slots

    def wait_ms(self, client: str, share: float, cost_ms: float) -> float:
        """Predict the milliseconds until a new job would be in the engine.

        Before its turn each other client gets what its own share allows, but no more than it has waiting. A batch
        that is overdue is expected to take as long again as it is late.
        """
        own_ms = self._waiting.get((client, share), _ClientWaiting()).cost_ms
        ahead_ms = sum(
            min(waiting.cost_ms, (own_ms + cost_ms) * others_share / share)
            for (_, others_share), waiting in self._waiting.items()
        )
        return self.running_ms(cost_ms) + ahead_ms * self._pace

    def running_ms(self, cost_ms: float) -> float:
        """Predict the milliseconds until all slots are free for a job, as a mean over the slots.

        Args:
            cost_ms: what the job costs; one that isn't long shares the slots of those that are, if it can.
        """
        self._account()
        shares = self._can_share and cost_ms <= LONG_JOB_MS
        waited_for = [run for run in self._running if not (shares and run.is_shared)]
        return sum(abs(run.predicted_ms - run.used_ms) for run in waited_for) / self._slots

    def next_free_ms(self) -> float:
        """Predict the milliseconds until a slot is free: 0 if one is, negative if one should have been by now."""
        if len(self._running) < self._slots:
            return 0.0
        self._account()
        return min(run.predicted_ms - run.used_ms for run in self._running) / self._share

    def admit(self, job: WaitingJob, deadline: float | None) -> None:
        """Count a job as waiting, unless :meth:`check` refuses it.

        Args:
            job: waits from now on, until :meth:`remove`.
            deadline: when its answer becomes worthless, in seconds of the clock; None: never.

        Raises:
            DeadlineExceeded: it would miss its deadline on an idle engine too.
            Overloaded: it would wait too long, or miss its deadline because of those before it.
        """
        self.check(job.client, job.share, job.cost_ms, job.alone_ms, deadline)
        self.add(job)

    def add(self, job: WaitingJob) -> None:
        """Count a job as waiting from now on, until :meth:`remove`, without checking it."""
        waiting = self._waiting.setdefault((job.client, job.share), _ClientWaiting())
        waiting.jobs += 1
        waiting.cost_ms += job.cost_ms

    def check(self, client: str, share: float, cost_ms: float, alone_ms: float, deadline: float | None) -> None:
        """Refuse a job as :meth:`admit` does, without counting it as waiting if it isn't refused."""
        left_ms = math.inf if deadline is None else (deadline - self._clock()) * 1000
        if alone_ms > left_ms:
            raise DeadlineExceeded(
                f"it takes about {alone_ms:.0f} ms of the engine; {max(0, left_ms):.0f} ms are left",
                field="deadline_ms",
                limit=round(max(0, left_ms)),
                value=round(alone_ms),
            )
        wait_ms = self.wait_ms(client, share, cost_ms)
        in_time_ms = max(0.0, left_ms - alone_ms - self._answer_ms) * (1 - DEADLINE_MARGIN)
        limit_ms, reason = min((in_time_ms, Reason.WAIT_PAST_DEADLINE), (self._max_wait_ms, Reason.WAIT_TOO_LONG))
        if wait_ms > limit_ms:
            raise Overloaded(
                f"it would wait about {wait_ms:.0f} ms; at most {limit_ms:.0f} ms are allowed",
                reason=reason,
                retry_after=math.ceil((wait_ms - limit_ms) / 1000),
                limit=round(limit_ms),
                value=round(wait_ms),
            )

    def observe_answer(self, after_ms: float) -> None:
        """Learn that it took so many milliseconds to make an ordinary answer when the engine had finished its job."""
        self._answer_ms += 0.1 * (after_ms - self._answer_ms)

    def remove(self, job: WaitingJob) -> None:
        """Count an admitted job as waiting no more: it goes to the engine, or its caller has left."""
        key = job.client, job.share
        waiting = self._waiting[key]
        waiting.jobs -= 1
        waiting.cost_ms -= job.cost_ms
        if not waiting.jobs:
            del self._waiting[key]

    def start_batch(self, predicted_ms: float, queued_ms: float, is_shared: bool = False) -> InFlightBatch:
        """Count a batch as running; see :class:`InFlightBatch` for its costs."""
        self._account()
        run = InFlightBatch(queued_ms, predicted_ms, is_shared)
        self._running.append(run)
        return run

    def end_batch(self, run: InFlightBatch, succeeded: bool = True) -> None:
        """Count a batch as running no more; how fast jobs go is learnt from batches that succeeded alone."""
        self._account()
        self._running.remove(run)
        now = self._clock()
        if not succeeded:
            self._last_end = None
            return
        if self._last_end is not None:
            pace = (now - self._last_end) * 1000 / run.queued_ms
            self._pace += 0.1 * (min(max(pace, 1 / MAX_PACE), MAX_PACE) - self._pace)
        # The time from one end to the next says how fast jobs go only if the engine did not rest in between.
        self._last_end = now if self._waiting or self._running else None

    @property
    def _share(self) -> float:
        """Part of a slot that each running batch has, in (0, 1]."""
        return min(1.0, self._slots / max(1, len(self._running)))

    def _account(self) -> None:
        """Add what the running batches have used since the last call; called before their number changes."""
        now = self._clock()
        for run in self._running:
            run.used_ms += (now - self._accounted_at) * 1000 * self._share
        self._accounted_at = now
