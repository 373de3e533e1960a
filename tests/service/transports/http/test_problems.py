"""The status of every error, and of service states that are rare in a running service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from benchmarks.harness.echo import EchoEngine, echoing
from hiseg.access.key_store import KeyStore
from hiseg.app import service_report
from hiseg.batching.admission import State
from hiseg.batching.job import BatchLimits
from hiseg.core import errors
from hiseg.engines.base import Cost
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.http.app import create_http
from hiseg.transports.http.problems import STATUS


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(errors.HisegError.__subclasses__())


@asynccontextmanager
async def app(
    engine: EchoEngine, limits: BatchLimits | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Segmenter, Metrics]]:
    """The application in this process, so that the engine can be held up."""
    metrics = Metrics()
    async with echoing(engine, limits) as segmenter:
        metrics.register_service(lambda: service_report(segmenter))
        transport = httpx.ASGITransport(
            create_http(segmenter, Settings(), metrics, KeyStore()), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://hiseg", timeout=30) as client:
            try:
                yield client, segmenter, metrics
            finally:
                engine.gate.set()  # a test that failed must not wait for it


def post(client: httpx.AsyncClient, photo: bytes, **query: object) -> asyncio.Task[httpx.Response]:
    headers = {"content-type": "image/jpeg"}
    return asyncio.create_task(client.post("/v1/segment", content=photo, headers=headers, params={"boxes": ""} | query))  # type: ignore[arg-type]


async def settled(
    requests: list[asyncio.Task[httpx.Response]], refused: int
) -> tuple[set[asyncio.Task[httpx.Response]], set[asyncio.Task[httpx.Response]]]:
    """Those that are answered, as soon as they are as many as must be refused, and those that wait."""
    async with asyncio.timeout(30):
        while sum(request.done() for request in requests) < refused:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return await asyncio.wait(requests, timeout=0)


def test_exactly_the_requests_over_the_capacity_are_refused_at_once(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine(prior=Cost(0, 100, 0))
        engine.gate.clear()
        # A job is let in while at most 950 ms wait before it, and each costs 100: ten.
        async with app(engine, BatchLimits(wait_ms=950)) as (client, _, metrics):
            requests = [post(client, photo) for _ in range(25)]
            done, waiting = await settled(requests, 15)
            assert (len(done), len(waiting)) == (15, 10)
            for request in done:
                refusal = request.result()
                assert refusal.status_code == 429
                assert int(refusal.headers["retry-after"]) >= 1
                problem = refusal.json()
                assert problem["limit"] == 950
                assert problem["value"] > 950
            engine.gate.set()
            answers = await asyncio.gather(*waiting)
            assert [answer.status_code for answer in answers] == [200] * 10
            text = metrics.exposition().decode()
            assert 'hiseg_rejected_total{reason="WAIT_TOO_LONG"} 15.0' in text
            assert 'hiseg_requests_total{outcome="ok",transport="http"} 10.0' in text

    asyncio.run(scenario())


def test_bytes_held_are_bounded(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        engine.gate.clear()
        async with app(engine) as (client, segmenter, _):
            segmenter.admission.max_bytes = 5 * len(photo) + 5 * 3 * 64 * 64
            requests = [post(client, photo) for _ in range(10)]
            done, waiting = await settled(requests, 6)
            assert {request.result().status_code for request in done} == {429}
            assert len(waiting) == 4
            engine.gate.set()
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
            assert segmenter.admission.reserved_bytes == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_starting_and_draining(photo: bytes, state: State) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, segmenter, _):
            segmenter.admission.state = state
            for answer in (await client.get("/readyz"), await post(client, photo)):
                assert answer.status_code == 503
                assert "retry-after" in answer.headers
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/v1/info")).status_code == 200

    asyncio.run(scenario())


def test_a_deadline_that_cannot_be_kept_is_refused_before_the_engine(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine(prior=Cost(0, 100, 0))
        engine.gate.clear()
        async with app(engine) as (client, _, _):
            # On an idle engine too it would miss the first; the second only behind another job.
            assert (await post(client, photo, deadline_ms=50)).status_code == 504
            first = post(client, photo)
            await asyncio.sleep(0.05)
            assert (await post(client, photo, deadline_ms=150)).status_code == 429
            engine.gate.set()
            assert (await first).status_code == 200
            assert len(engine.batches) == 1

    asyncio.run(scenario())


def test_a_deadline_that_passes_is_answered_with_504(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine(prior=Cost(0, 1, 0))
        engine.gate.clear()
        async with app(engine) as (client, _, _):
            first = post(client, photo)
            while not engine.running:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            # Longer than the machine may pause: a batch that is overdue is predicted to take as long again.
            late = await post(client, photo, deadline_ms=800)
            assert late.status_code == 504
            assert late.json()["field"] == "deadline_ms"
            engine.gate.set()
            assert (await first).status_code == 200
            assert sum(len(batch.images) for batch in engine.batches) == 1

    asyncio.run(scenario())


def test_a_bug_is_answered_with_an_id_that_stands_in_the_log(photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(EchoEngine):
        async def infer(self, batch: object) -> object:  # type: ignore[override]
            raise RuntimeError("something nobody thought of")

    async def scenario() -> None:
        async with app(Broken()) as (client, _, _):
            answer = await post(client, photo)
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert "nobody thought of" not in answer.text
            assert answer.json()["id"] in caplog.text
            assert "something nobody thought of" in caplog.text

    asyncio.run(scenario())


def test_a_bug_outside_of_the_exchange_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, segmenter, metrics):

            def broken() -> None:
                raise RuntimeError("nobody thought of this either")

            segmenter.check_ready = broken  # type: ignore[method-assign]
            answer = await client.get("/readyz")
            del segmenter.check_ready  # the metrics ask too
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-request-id"]
            assert answer.json()["id"] in caplog.text
            assert caplog.text.count("RuntimeError: nobody thought of this either") == 1
            assert "hiseg_bugs_total 1.0" in metrics.exposition().decode()

    asyncio.run(scenario())


def test_every_problem_has_a_reason(photo: bytes) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, segmenter, _):
            other = {"content-type": "a/b"}
            seen = {
                "NOT_FOUND": await client.get("/nowhere"),
                "METHOD_NOT_ALLOWED": await client.get("/v1/segment"),
                "UNSUPPORTED_CONTENT_TYPE": await client.post("/v1/segment", content=photo, headers=other),
                "UNSUPPORTED_IMAGE": await post(client, b"GIF89a", boxes="0,0,1,1"),
                "UNDECODABLE_IMAGE": await post(client, photo[:100], boxes="0,0,1,1"),
                "TOO_MANY_BOXES": await post(client, photo, boxes=";".join(["0,0,9,9"] * 101)),
                "INVALID_REQUEST": await post(client, photo, boxes="1,2,3"),
            }
            for state in (State.STARTING, State.DRAINING):
                segmenter.admission.state = state
                seen["STARTING" if state is State.STARTING else "SHUTTING_DOWN"] = await post(client, photo)
            for reason, answer in seen.items():
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["reason"] == reason
                assert answer.json()["status"] == answer.status_code

    asyncio.run(scenario())
