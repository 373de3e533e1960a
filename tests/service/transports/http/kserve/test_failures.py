"""`/v2` under load, during start and drain, and with a bug: the rules of `/v1/segment` in the protocol's own form."""

from __future__ import annotations

import asyncio
import base64

import httpx
import pytest

from benchmarks.harness.echo import EchoEngine
from hiseg.batching.admission import State
from hiseg.batching.job import BatchLimits
from hiseg.engines.base import Cost
from tests.service.transports.http.test_problems import app, settled

MODEL = "/v2/models/echo"


def infer(client: httpx.AsyncClient, photo: bytes) -> asyncio.Task[httpx.Response]:
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(photo).decode()]}
    nobody = {"name": "boxes", "shape": [0, 4], "datatype": "FP32", "data": []}
    return asyncio.create_task(client.post(f"{MODEL}/infer", json={"inputs": [image, nobody]}))


def test_requests_over_the_capacity_are_refused(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine(prior=Cost(0, 100, 0))
        engine.gate.clear()
        async with app(engine, BatchLimits(wait_ms=450)) as (client, _, metrics):
            requests = [infer(client, photo) for _ in range(12)]
            done, waiting = await settled(requests, 7)
            engine.gate.set()
            answers = await asyncio.gather(*waiting)
        assert (len(done), len(waiting)) == (7, 5)
        for request in done:
            refusal = request.result()
            assert refusal.status_code == 429
            assert int(refusal.headers["retry-after"]) >= 1
            assert list(refusal.json()) == ["error", "reason"]
        assert {answer.status_code for answer in answers} == {200}
        text = metrics.exposition().decode()
        assert 'hiseg_requests_total{outcome="WAIT_TOO_LONG",transport="kserve"} 7.0' in text
        assert 'hiseg_requests_total{outcome="ok",transport="kserve"} 5.0' in text

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_starting_and_draining(photo: bytes, state: State) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, segmenter, _):
            segmenter.admission.state = state
            assert (await client.get("/v2/health/live")).status_code == 200
            for answer in (
                await client.get("/v2/health/ready"),
                await client.get(f"{MODEL}/ready"),
                await client.get("/v2/models"),
                await client.get("/v2/models/stats"),
                await client.post("/v2/repository/index"),
                await infer(client, photo),
            ):
                assert answer.status_code == 503
                assert "retry-after" in answer.headers
                assert "error" in answer.json()
            # Whether a model is there isn't known before the models are.
            unknown = await client.get("/v2/models/nobody/ready")
            assert unknown.status_code == 503

    asyncio.run(scenario())


def test_a_bug_has_an_id_that_stands_in_the_log(photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(EchoEngine):
        async def infer(self, batch: object) -> object:  # type: ignore[override]
            raise RuntimeError("something nobody thought of")

    async def scenario() -> None:
        async with app(Broken()) as (client, _, _):
            answer = await infer(client, photo)
        assert answer.status_code == 500
        assert list(answer.json()) == ["error", "reason"]
        assert answer.json()["error"].rpartition(" ")[2] in caplog.text
        assert "nobody thought of" not in answer.text

    asyncio.run(scenario())


def test_not_ready_while_no_engine_answers(photo: bytes) -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        async with app(engine) as (client, _, _):
            for slots, status in ((0, 503), (1, 200)):
                engine.slots = slots
                engine.changed()
                for path in ("/readyz", "/v2/health/ready", f"{MODEL}/ready", "/health"):
                    assert (await client.get(path)).status_code == status, path
                assert (await infer(client, photo)).status_code == status

    asyncio.run(scenario())


def test_a_header_length_with_too_many_digits_is_refused(photo: bytes) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, _, _):
            headers = {"Inference-Header-Content-Length": "9" * 5000}
            answer = await client.post(f"{MODEL}/infer", content=b"{}", headers=headers)
            assert answer.status_code == 422

    asyncio.run(scenario())
