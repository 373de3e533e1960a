"""One job on its way through a batcher, from the door to its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hiseg.batching.backlog import QueuedCost
from hiseg.batching.dispatch import Ran
from hiseg.batching.work import Prepared, Served, Work
from hiseg.core.canvas import Size


@dataclass(eq=False, slots=True)
class Item:
    """A job that was let in.

    Attributes:
        work: what is to be done.
        claim: its part of the backlog.
        arrived: on the batcher's clock.
        answer: what its caller waits for.
        queued: it stands in the queue.
        preparing: makes its input, once it was taken from the queue or shall take another's place.
        prepared: its input.
        decode_ms: what making that took.
        decode_began: when that began, on the batcher's clock.
    """

    work: Work[Any]
    claim: QueuedCost
    arrived: float
    answer: asyncio.Future[Served[Any]]
    queued: bool = False
    preparing: asyncio.Task[None] | None = None
    prepared: Prepared | None = None
    decode_ms: float = 0.0
    decode_began: float = 0.0

    @property
    def canvas(self) -> Size:
        return self.work.canvas

    @property
    def client(self) -> str:
        return self.work.client

    @property
    def share(self) -> float:
        return self.work.share

    @property
    def cost(self) -> float:
        return self.claim.cost

    def settle(self, ran: Ran) -> None:
        """Give the caller what the engine made of it; a caller who left meanwhile is past caring."""
        if self.answer.done():
            return
        if isinstance(ran.outcome, Exception):
            self.answer.set_exception(ran.outcome)
            return
        queue_ms = max(0.0, (ran.began - self.arrived) * 1000 - self.decode_ms)
        times = self.arrived, self.decode_began, ran.began
        self.answer.set_result(Served(self.prepared, ran.outcome, self.decode_ms, queue_ms, ran.infer_ms, *times))


def inputs(members: Sequence[Item]) -> list[Prepared]:
    """What the members were prepared to."""
    return [item.prepared for item in members if item.prepared is not None]
