"""How long a new job would wait: the work let in and not yet done, by client, and the pace at which it goes away."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hiseg.core.errors import DeadlineExceeded, Overloaded

HEADROOM = 0.25
"""Part of the time to a deadline that is kept for what prediction gets wrong."""
SLOWEST = 10.0
"""The worst pace that is believed, and its inverse the best: a pause must not close the door."""


@dataclass(eq=False, slots=True)
class QueuedCost:
    """One job's part of the backlog: fixed when it is let in, given back in full.

    Attributes:
        client: who asks.
        share: weight of the client.
        cost: milliseconds that it adds to a batch.
        alone: milliseconds of a batch that is just this job.
    """

    client: str
    share: float
    cost: float
    alone: float


@dataclass(eq=False, slots=True)
class InFlightBatch:
    """A batch in the engine.

    Attributes:
        claimed: milliseconds that its jobs claimed, which is less than it costs: a batch as such costs something too.
        predicted: milliseconds of a slot that it should take.
        had: those that it has had by now.
    """

    claimed: float
    predicted: float
    had: float = 0.0


@dataclass(slots=True)
class _Waiting:
    jobs: int = 0
    cost: float = 0.0


class WaitEstimator:
    """The ledger of one engine.

    Args:
        clock: seconds, monotonic.
        max_wait_ms: longest predicted wait with which a job is let in.
        slots: batches that the engine runs at once; more of them share its slots.
    """

    def __init__(self, clock: Callable[[], float], max_wait_ms: float, slots: int = 1) -> None:
        self._clock = clock
        self._max_wait_ms = max_wait_ms
        self._waiting: dict[tuple[str, float], _Waiting] = {}
        self._running: list[InFlightBatch] = []
        self._slots = max(1, slots)
        self._counted = clock()
        # Wall milliseconds for a millisecond that was claimed: below 1 with several slots, above 1 for what a batch as
        # such costs, where decoding is the bottleneck, or where the cost model is behind.
        self._pace = 1 / self._slots
        self._after_ms = 0.0
        self._last_end: float | None = None

    @property
    def waiting_ms(self) -> float:
        """Cost of what is let in and not yet in the engine; exactly 0 when that is nothing."""
        return sum(waiting.cost for waiting in self._waiting.values())

    def resize(self, slots: int) -> None:
        """The engine has another number of slots; 0 is none for a while, and says nothing of the pace afterwards."""
        if slots:
            self._count()
            self._pace *= self._slots / slots
            self._slots = slots

    def wait_ms(self, client: str, share: float, cost: float) -> float:
        """Predicted milliseconds until a new job would be in the engine.

        Before its turn each other client gets what its own share allows, but no more than it has waiting. A batch
        that is overdue is expected to take as long again as it is late.
        """
        own = self._waiting.get((client, share), _Waiting()).cost
        ahead = sum(
            min(waiting.cost, (own + cost) * others_share / share)
            for (_, others_share), waiting in self._waiting.items()
        )
        return self.running_ms() + ahead * self._pace

    def running_ms(self) -> float:
        """Predicted milliseconds until the slots are free, spread over all of them."""
        self._count()
        return sum(abs(run.predicted - run.had) for run in self._running) / self._slots

    def next_free_ms(self) -> float:
        """Predicted milliseconds until the next slot is free: 0 if one is, negative if one should have been by now."""
        if len(self._running) < self._slots:
            return 0.0
        self._count()
        return min(run.predicted - run.had for run in self._running) / self._share

    def admit(self, claim: QueuedCost, deadline: float | None) -> None:
        """Let a job in, or say at once that there is no point.

        Args:
            claim: its part.
            deadline: when nobody wants the answer any more, on the clock.

        Raises:
            DeadlineExceeded: it would miss its deadline on an idle engine too.
            Overloaded: it would wait too long, or miss its deadline because of those before it.
        """
        self.check(claim, deadline)
        waiting = self._waiting.setdefault((claim.client, claim.share), _Waiting())
        waiting.jobs += 1
        waiting.cost += claim.cost

    def check(self, claim: QueuedCost, deadline: float | None) -> None:
        """Like :meth:`admit`, but the job isn't let in yet."""
        left = math.inf if deadline is None else (deadline - self._clock()) * 1000
        if claim.alone > left:
            raise DeadlineExceeded(
                f"it takes about {claim.alone:.0f} ms of the engine; {max(0, left):.0f} ms are left",
                field="deadline_ms",
                limit=round(max(0, left)),
                value=round(claim.alone),
            )
        wait = self.wait_ms(claim.client, claim.share, claim.cost)
        in_time = max(0.0, left - claim.alone - self._after_ms) * (1 - HEADROOM)
        limit, reason = min((in_time, "deadline"), (self._max_wait_ms, "wait"))
        if wait > limit:
            raise Overloaded(
                f"it would wait about {wait:.0f} ms; at most {limit:.0f} ms are allowed",
                reason=reason,
                retry_after=math.ceil((wait - limit) / 1000),
                limit=round(limit),
                value=round(wait),
            )

    def answered(self, after_ms: float) -> None:
        """An answer was ready so long after the engine was done with its job."""
        self._after_ms += 0.1 * (after_ms - self._after_ms)

    def leave(self, claim: QueuedCost) -> None:
        """A job that was let in stops waiting: it goes to the engine, or its caller left."""
        key = claim.client, claim.share
        waiting = self._waiting[key]
        waiting.jobs -= 1
        waiting.cost -= claim.cost
        if not waiting.jobs:
            del self._waiting[key]

    def began(self, predicted: float, claimed: float) -> InFlightBatch:
        """A batch goes to the engine: predicted milliseconds, and those that its jobs claimed."""
        self._count()
        run = InFlightBatch(claimed, predicted)
        self._running.append(run)
        return run

    def ended(self, run: InFlightBatch, well: bool = True) -> None:
        """It came back; one that failed says nothing of the pace."""
        self._count()
        self._running.remove(run)
        now = self._clock()
        if not well:
            self._last_end = None
            return
        if self._last_end is not None:
            pace = (now - self._last_end) * 1000 / run.claimed
            self._pace += 0.1 * (min(max(pace, 1 / SLOWEST), SLOWEST) - self._pace)
        # Only from end to end without a moment of rest in between does the time say how fast work goes away.
        self._last_end = now if self._waiting or self._running else None

    @property
    def _share(self) -> float:
        """What each running batch has of a slot."""
        return min(1.0, self._slots / max(1, len(self._running)))

    def _count(self) -> None:
        """What the running batches have had since the last time; called before their number is another."""
        now = self._clock()
        for run in self._running:
            run.had += (now - self._counted) * 1000 * self._share
        self._counted = now
