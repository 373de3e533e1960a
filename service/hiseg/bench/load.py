"""Open and closed loop: who sends when, and what is noted of each request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter

from hiseg.bench.sender import CONNECTION, Reply, Request, Sender

PAUSE_S = 0.05
"""A caller of a closed loop waits so long after a connection error, which nobody answered."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of a run; times are seconds after its start.

    Attributes:
        intended: when it should have been sent. Latency counts from here, so a generator that falls behind, or a
            service that holds it up, can't hide what a caller would have waited.
        sent: when it was.
        done: when all of the answer was there.
        people: boxes in it.
        reply: what became of it.
    """

    intended: float
    sent: float
    done: float
    people: int
    reply: Reply

    @property
    def latency_ms(self) -> float:
        return (self.done - self.intended) * 1000


async def open_loop(sender: Sender, requests: Sequence[Request], arrivals: Sequence[float]) -> list[Sample]:
    """Send at the times given, whether or not earlier requests are answered; returns when all are."""
    samples: list[Sample] = []
    start = perf_counter()

    async def one(intended: float, request: Request) -> None:
        sent = perf_counter() - start
        reply = await sender.send(request)
        samples.append(Sample(intended, sent, perf_counter() - start, request.people, reply))

    async with asyncio.TaskGroup() as group:
        for intended, request in zip(arrivals, cycle(requests), strict=False):
            # Timers may be early. And when time has passed already: let answers be read before the next is sent.
            while True:
                left = start + intended - perf_counter()
                await asyncio.sleep(max(0.0, left))
                if left <= 0:
                    break
            group.create_task(one(intended, request))
    return samples


async def closed_loop(sender: Sender, requests: Sequence[Request], concurrency: int, seconds: float) -> list[Sample]:
    """``concurrency`` callers, each sending its next request once its last is answered, for ``seconds``."""
    samples: list[Sample] = []
    source = cycle(requests)
    start = perf_counter()

    async def caller() -> None:
        while (sent := perf_counter() - start) < seconds:
            request = next(source)
            reply = await sender.send(request)
            samples.append(Sample(sent, sent, perf_counter() - start, request.people, reply))
            if reply.outcome == CONNECTION:
                await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return samples
