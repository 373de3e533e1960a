"""Open and closed loop: when requests are sent, and what is recorded of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from time import perf_counter

import numpy as np

from hiseg.bench.sender import Outcome, Reply, Request, Sender

MAX_CALLERS = 100_000
"""Most addresses that requests may pretend to come from."""
PAUSE_S = 0.05
"""A caller of a closed loop waits so long after a connection error, since no answer holds it back."""


class Arrivals(StrEnum):
    """How an open loop spaces its requests: at random, as independent callers do, or at equal distances."""

    POISSON = "poisson"
    EVEN = "even"


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of a run; times are seconds after the start of the run.

    Attributes:
        intended: when it should have been sent. Latency counts from here, so a generator that falls behind, or a
            service that holds it up, can't hide what a caller would have waited.
        sent: when it was sent.
        done: when all of the answer had arrived.
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
        """Milliseconds from the intended time to the end of the answer."""
        return (self.done - self.intended) * 1000


def arrival_times(spacing: Arrivals, rate: float, seconds: float, random: np.random.Generator) -> list[float]:
    """Fix the send times of an open loop before it runs, so that the service can't influence them.

    Args:
        spacing: at random or at equal distances.
        rate: requests a second.
        seconds: length of the run.
        random: decides random spacing.

    Returns:
        Seconds after the start, ascending, all before ``seconds``.
    """
    if spacing is Arrivals.EVEN:
        return [number / rate for number in range(int(np.ceil(seconds * rate)))]
    # Once their number is drawn, the arrivals of a Poisson process are distributed uniformly.
    return sorted(float(time) for time in random.uniform(0, seconds, random.poisson(rate * seconds)))


async def open_loop(sender: Sender, requests: Sequence[Request], arrivals: Sequence[float]) -> list[Sample]:
    """Send requests at fixed times, whether or not earlier ones are answered, and wait until all are answered.

    Args:
        sender: sends them.
        requests: requests to send in turn, over and over.
        arrivals: seconds after the start, ascending.
    """
    samples: list[Sample] = []
    start = perf_counter()

    async def send(intended: float, request: Request) -> None:
        sent = perf_counter() - start
        reply = await sender.send(request)
        samples.append(Sample(intended, sent, perf_counter() - start, request.people, reply))

    async with asyncio.TaskGroup() as group:
        for intended, request in zip(arrivals, cycle(requests), strict=False):
            # Timers may be early. And where the time is past already, answers are read before the next request is sent.
            while True:
                left = start + intended - perf_counter()
                await asyncio.sleep(max(0.0, left))
                if left <= 0:
                    break
            group.create_task(send(intended, request))
    return samples


async def closed_loop(sender: Sender, requests: Sequence[Request], concurrency: int, seconds: float) -> list[Sample]:
    """Let some callers each send the next request once its last one is answered.

    Args:
        sender: sends them.
        requests: requests that all callers together send in turn, over and over.
        concurrency: number of callers.
        seconds: after this time no further request is sent.
    """
    samples: list[Sample] = []
    source = cycle(requests)
    start = perf_counter()

    async def caller() -> None:
        while (sent := perf_counter() - start) < seconds:
            request = next(source)
            reply = await sender.send(request)
            samples.append(Sample(sent, sent, perf_counter() - start, request.people, reply))
            if reply.outcome == Outcome.CONNECTION_ERROR:
                await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return samples
