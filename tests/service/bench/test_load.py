"""The send times of the open loop, and both loops against a real server on loopback."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from hiseg.bench.http_sender import HttpSender
from hiseg.bench.load import Arrivals, Sample, arrival_times, closed_loop, open_loop
from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.bench.sender import Request
from hiseg.bench.workload import Workload
from tests.service.bench.servers import Behaviour, serving

REQUESTS = Workload(parse_sizes("32x24"), parse_people("1-2"), {}).requests(np.random.default_rng(0))


def run_open(
    url: str, arrivals: list[float], timeout_s: float = 10, requests: list[Request] = REQUESTS
) -> list[Sample]:
    async def run() -> list[Sample]:
        async with HttpSender.open(url, requests, timeout_s) as sender:
            return await open_loop(sender, requests, arrivals)

    return asyncio.run(run())


def run_closed(url: str, concurrency: int, seconds: float) -> list[Sample]:
    async def run() -> list[Sample]:
        async with HttpSender.open(url, REQUESTS, 10) as sender:
            return await closed_loop(sender, REQUESTS, concurrency, seconds)

    return asyncio.run(run())


def test_an_open_loop_does_not_wait_for_answers() -> None:
    arrivals = [number / 1000 for number in range(30)]
    with serving(service := Behaviour(hold_until=30)) as url:
        samples = run_open(url, arrivals)
    # None is answered before all are there.
    assert service.most_inside == 30
    assert sorted(sample.intended for sample in samples) == arrivals
    assert all(sample.intended <= sample.sent <= sample.done for sample in samples)
    assert {sample.reply.outcome for sample in samples} == {"ok"}
    assert samples[0].reply.stages == {"decode": 1.5, "infer": 40}
    assert samples[0].reply.size == len('{"instances": []}')


def test_a_closed_loop_never_has_more_inside_than_callers() -> None:
    with serving(service := Behaviour(delay=0.01, refuse_every=3)) as url:
        samples = run_closed(url, concurrency=4, seconds=0.3)
    assert service.most_inside == 4
    assert len(samples) == service.seen
    refused = sum(sample.reply.outcome == "429" for sample in samples)
    assert refused == service.seen // 3
    assert refused + sum(sample.reply.outcome == "ok" for sample in samples) == service.seen
    assert {query["boxes"].count(";") + 1 for query in service.queries} == {1, 2}


def test_a_request_without_people_has_no_boxes() -> None:
    requests = Workload(parse_sizes("32x24"), parse_people("0"), {}).requests(np.random.default_rng(0))
    with serving(service := Behaviour()) as url:
        run_open(url, [0], requests=requests)
    assert service.queries == [{}] or service.queries == [{"boxes": ""}]
    assert service.bodies == {requests[0].image}


def test_what_goes_wrong_is_an_outcome() -> None:
    with serving(Behaviour(delay=0.3)) as url:
        assert [sample.reply.outcome for sample in run_open(url, [0], timeout_s=0.1)] == ["timeout"]
    assert [sample.reply.outcome for sample in run_open(url, [0])] == ["connection error"]
    with serving(Behaviour(status=500)) as url:
        reply = run_open(url, [0])[0].reply
    assert (reply.outcome, reply.detail) == ("500", "because of the moon")


def test_even_spacing() -> None:
    assert arrival_times(Arrivals.EVEN, 4, 1, np.random.default_rng(0)) == [0, 0.25, 0.5, 0.75]


def test_poisson_keeps_the_rate_and_its_gaps_are_exponential() -> None:
    times = arrival_times(Arrivals.POISSON, 200, 100, np.random.default_rng(0))
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert times == sorted(times)
    assert min(times) >= 0
    assert max(times) < 100
    gaps = np.diff(times)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_send_times_depend_on_the_random_seed_alone() -> None:
    first, again, other = (arrival_times(Arrivals.POISSON, 50, 2, np.random.default_rng(s)) for s in (3, 3, 4))
    assert first == again != other
