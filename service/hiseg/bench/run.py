"""One run of the load generator: connect, see that a service answers, run the loop, compute the figures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import perf_counter, process_time
from urllib.parse import urlsplit

import numpy as np

from hiseg.bench.grpc_sender import GrpcSender
from hiseg.bench.load import Arrivals, Sample, arrival_times, closed_loop, open_loop
from hiseg.bench.report import Report, compute_report
from hiseg.bench.sender import Outcome, Request, Sender
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.extras import needing

DEADLINE_S = 30.0
"""The deadline that the service gives a request which names none."""
GRACE_S = 5.0
"""Seconds after its deadline for which an answer is still waited for."""
MAX_OPEN_FILES = 65536
"""As many connections at once as a load generator may need."""


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests are sent at a fixed rate, whether or not earlier ones are answered.

    Attributes:
        rate: requests a second.
        spacing: how the requests are distributed over time.
    """

    rate: float
    spacing: Arrivals = Arrivals.POISSON

    def __str__(self) -> str:
        return f"open loop, {self.rate:g} requests/s, {self.spacing} arrivals"


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """A fixed number of callers each send a request, wait for the answer and send the next.

    Attributes:
        concurrency: number of callers.
    """

    concurrency: int

    def __str__(self) -> str:
        return f"closed loop, {self.concurrency} caller{'s' if self.concurrency > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of the load generator does.

    Attributes:
        url: URL of the service.
        loop: open or closed.
        duration: seconds that are measured.
        warm_up: seconds before these, which aren't.
        timeout: seconds for which an answer is waited for.
        api_key: key sent with every request, if any.
    """

    url: str
    loop: OpenLoop | ClosedLoop
    duration: float
    warm_up: float
    timeout: float = DEADLINE_S + GRACE_S
    api_key: str | None = None


def run(plan: Plan, requests: Sequence[Request], random: np.random.Generator) -> tuple[Report, list[Sample]]:
    """Carry a plan out.

    Args:
        plan: what to do.
        requests: requests to send in turn, over and over.
        random: decides when they are sent, where a plan leaves it to chance.

    Returns:
        The figures, and what they are computed from.

    Raises:
        BadOption: the URL isn't one that can be sent to.
        CommandError: the service can't be reached, a package is missing, or no request was answered well.
    """
    _raise_open_file_limit()
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        samples, cpu_s, wall_s = runner.run(_load(plan, requests, random))
    figures = compute_report(samples, plan.warm_up, plan.duration, cpu_s, wall_s, isinstance(plan.loop, OpenLoop))
    if not figures.outcomes[Outcome.OK]:
        counts = ", ".join(f"{outcome} {count}" for outcome, count in figures.outcomes.items() if count)
        why = "".join(f"; {outcome}: {detail}" for outcome, detail in figures.details.items())
        raise CommandError(f"no request was ok: {counts or 'none was sent'}{why}")
    return figures, samples


def connect(
    url: str, requests: Sequence[Request], timeout_s: float, api_key: str | None = None
) -> AbstractAsyncContextManager[Sender]:
    """Return a sender for the transport that the URL names, to be entered with ``async with``.

    Args:
        url: ``http://…``, ``https://…`` or ``grpc://HOST:PORT``.
        requests: the requests that will be sent, and no others.
        timeout_s: seconds for which an answer is waited for.
        api_key: key sent with every request, if any.

    Raises:
        BadOption: the URL isn't one that can be sent to.
        ExtraMissing: the transport's package isn't installed.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise BadOption("--url", url, "is not a URL with a host, such as http://127.0.0.1:8000")
    headers = {} if api_key is None else {"x-api-key": api_key}
    match parts.scheme:
        case "http" | "https":
            with needing("measuring over HTTP"):
                # Not at the top: aiohttp is an optional extra.
                from hiseg.bench.http_sender import HttpSender
            return HttpSender.open(url, requests, timeout_s, headers)
        case "grpc":
            return GrpcSender.open(url, requests, timeout_s, headers)
        case scheme:
            raise BadOption("--url", url, f"has the scheme {scheme!r}; http, https and grpc are there")


async def _load(
    plan: Plan, requests: Sequence[Request], random: np.random.Generator
) -> tuple[list[Sample], float, float]:
    seconds = plan.warm_up + plan.duration
    async with connect(plan.url, requests, plan.timeout, plan.api_key) as sender:
        first = await sender.send(requests[0])
        if first.outcome == Outcome.CONNECTION_ERROR:
            raise CommandError(f"no service at {plan.url}: {first.detail}")
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


def _raise_open_file_limit() -> None:
    """Allow more open files: an open loop holds a connection for each unanswered request, soon more than 1024."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
