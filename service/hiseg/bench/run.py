"""One run, from the plan to the samples: connect, see that somebody answers, then the loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np

from hiseg.bench.arrivals import Arrivals, arrival_times
from hiseg.bench.connect import connect
from hiseg.bench.errors import BenchError
from hiseg.bench.load import Sample, closed_loop, open_loop
from hiseg.bench.report import Report, report
from hiseg.bench.sender import CONNECTION, OK, Request

DEADLINE_S = 30.0
"""The service's own, of a request that names none."""
GRACE_S = 5.0
"""An answer is waited for so long after its deadline."""
CONNECTIONS = 65536


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """So many requests a second, come what may."""

    rate: float
    spacing: Arrivals = Arrivals.POISSON

    def __str__(self) -> str:
        return f"open loop, {self.rate:g} requests/s, {self.spacing} arrivals"


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """So many callers, each waiting for its answer."""

    concurrency: int

    def __str__(self) -> str:
        return f"closed loop, {self.concurrency} caller{'s' if self.concurrency > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to, how, and for how long.

    Attributes:
        url: of the service.
        loop: open or closed.
        duration: seconds that are measured.
        warm_up: seconds before these.
        timeout: seconds after which an answer is waited for no longer.
        api_key: sent with every request.
    """

    url: str
    loop: OpenLoop | ClosedLoop
    duration: float
    warm_up: float
    timeout: float = DEADLINE_S + GRACE_S
    api_key: str | None = None


def run(plan: Plan, requests: Sequence[Request], random: np.random.Generator) -> tuple[Report, list[Sample]]:
    """Carry the plan out.

    Raises:
        BenchError: the service can't be reached, or no request was answered well.
    """
    _allow_connections()
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        samples, cpu_s, wall_s = runner.run(_load(plan, requests, random))
    figures = report(samples, plan.warm_up, plan.duration, cpu_s, wall_s, isinstance(plan.loop, OpenLoop))
    if not figures.outcomes[OK]:
        counts = ", ".join(f"{outcome} {count}" for outcome, count in figures.outcomes.items() if count)
        why = "".join(f"; {outcome}: {detail}" for outcome, detail in figures.details.items())
        raise BenchError(f"no request was ok: {counts or 'none was sent'}{why}")
    return figures, samples


async def _load(
    plan: Plan, requests: Sequence[Request], random: np.random.Generator
) -> tuple[list[Sample], float, float]:
    seconds = plan.warm_up + plan.duration
    async with connect(plan.url, requests, plan.timeout, plan.api_key) as sender:
        first = await sender.send(requests[0])
        if first.outcome == CONNECTION:
            raise BenchError(f"no service at {plan.url}: {first.detail}")
        wall, cpu = perf_counter(), process_time()
        match plan.loop:
            case OpenLoop(rate, spacing):
                samples = await open_loop(sender, requests, arrival_times(spacing, rate, seconds, random))
            case ClosedLoop(concurrency):
                samples = await closed_loop(sender, requests, concurrency, seconds)
        return samples, process_time() - cpu, perf_counter() - wall


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _allow_connections() -> None:
    """An open loop holds a connection for each unanswered request, soon more than the usual 1024 open files."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
