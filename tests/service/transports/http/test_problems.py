"""Errors and their status, and the states that a running service seldom is in."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service import errors
from service.batching.admission import Admission
from service.batching.batcher import Batcher
from service.images import ImageLimits
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import Metrics
from service.transports.http.problems import STATUS
from service.transports.http.routes import create_http
from tests.service.fakes import EchoEngine


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(errors.HisegError.__subclasses__())


def app(engine: EchoEngine, admission: Admission) -> httpx.AsyncClient:
    """The application in this process, so that the engine can be held up."""
    segmenter = Segmenter({"echo": Batcher(engine)}, ThreadPoolExecutor(1), ImageLimits(10**6, 10**6), admission)
    transport = httpx.ASGITransport(create_http(segmenter, Settings(), Metrics()), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hiseg")


def post(client: httpx.AsyncClient, photo: bytes) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(client.post("/v1/segment", content=photo, headers={"content-type": "image/jpeg"}))


def test_of_more_requests_than_places_exactly_the_rest_is_turned_away(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        engine.gate.clear()
        async with app(engine, Admission(4)) as client:
            requests = [post(client, photo) for _ in range(10)]
            refusals = asyncio.as_completed(requests)
            for _ in range(6):
                assert (await next(refusals)).status_code == 429
            engine.gate.set()
            answers = await asyncio.gather(*requests)
            refused = [answer for answer in answers if answer.status_code == 429]
            assert len(refused) == 6
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
            assert sum(answer.status_code == 200 for answer in answers) == 4

    asyncio.run(scenario())


def test_draining(photo: bytes) -> None:
    async def scenario() -> None:
        admission = Admission(4)
        admission.draining = True
        async with app(EchoEngine(), admission) as client:
            for answer in (await client.get("/readyz"), await post(client, photo)):
                assert answer.status_code == 503
                assert "retry-after" in answer.headers
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(scenario())


def test_a_bug_is_answered_with_an_id_that_stands_in_the_log(photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(EchoEngine):
        async def infer(self, batch: object) -> object:  # type: ignore[override]
            raise RuntimeError("something nobody thought of")

    async def scenario() -> None:
        async with app(Broken(), Admission(4)) as client:
            answer = await post(client, photo)
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert "nobody thought of" not in answer.text
            assert answer.json()["id"] in caplog.text
            assert "something nobody thought of" in caplog.text

    asyncio.run(scenario())
