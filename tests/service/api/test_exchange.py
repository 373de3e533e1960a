"""Requests of all transports pass the same checks, and are counted, logged and answered in the same way."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import httpx
import pytest
from grpc.aio import AioRpcError

from benchmarks.harness.echo import EchoEngine
from hiseg.access.key_store import KeyStore
from hiseg.batching.admission import State
from hiseg.engines.base import Cost
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.http.app import create_http
from tests.service.transports.grpc.harness import PHOTO, Running, running, until

T = TypeVar("T")
KEY = "correct horse"
HEADERS = {"x-api-key": KEY}
METADATA = tuple(HEADERS.items())
KEYS = (f"web:{sha256(KEY.encode()).hexdigest()}",)
JUNK = b"no image at all"
LABEL_CONFIG = '<View><Image name="photo" value="$image"/><Brush name="mask" toName="photo"/></View>'
RECTANGLE = {"type": "rectangle", "to_name": "photo", "value": {"x": 10, "y": 10, "width": 50, "height": 50}}


@dataclass
class Service:
    """One service with both of its servers."""

    grpc: Running
    http: httpx.AsyncClient

    def metric(self, name: str, **labels: str) -> float:
        return self.grpc.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def serving(settings: Settings | None = None, engine: EchoEngine | None = None) -> AsyncIterator[Service]:
    settings = settings or Settings()
    async with running(settings, engine) as server:
        keys = KeyStore(settings.api_keys, settings.api_keys_file, settings.key_limits)
        app = create_http(server.segmenter, settings, server.metrics, keys)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hiseg", timeout=30) as client:
            yield Service(server, client)


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a test, which must not wait for ever if it fails."""

    async def limited() -> T:
        async with asyncio.timeout(20):
            return await scenario

    return asyncio.run(limited())


Answer = tuple[bool, str]
"""Whether there were masks, and the text of the answer or of the error."""


async def post(service: Service, path: str, **content: Any) -> Answer:
    content["headers"] = HEADERS | content.get("headers", {})
    response = await service.http.post(path, **content)
    return response.status_code == 200, response.text


def base64_of(image: bytes) -> str:
    return base64.b64encode(image).decode()


async def raw(service: Service, image: bytes) -> Answer:
    return await post(service, "/v1/segment?boxes=", content=image, headers={"content-type": "image/png"})


async def multipart(service: Service, image: bytes) -> Answer:
    return await post(service, "/v1/segment", files={"image": ("a.png", image, "image/png")}, data={"boxes": ""})


async def json_body(service: Service, image: bytes) -> Answer:
    return await post(service, "/v1/segment", json={"image": base64_of(image), "boxes": []})


async def kserve(service: Service, image: bytes) -> Answer:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64_of(image)]}
    nobody = {"name": "boxes", "shape": [0, 4], "datatype": "FP32", "data": []}
    return await post(service, "/v2/models/echo/infer", json={"inputs": [tensor, nobody]})


async def label_studio(service: Service, image: bytes) -> Answer:
    task = {"data": {"image": f"data:image/png;base64,{base64_of(image)}"}, "annotations": [{"result": [RECTANGLE]}]}
    return await post(service, "/predict", json={"tasks": [task], "label_config": LABEL_CONFIG})


async def grpc_call(service: Service, image: bytes) -> Answer:
    try:
        response = await service.grpc.stub.Segment(pb.SegmentRequest(encoded_image=image), metadata=METADATA)
    except AioRpcError as error:
        return False, str(error.details())
    return True, str(response)


async def grpc_frame(service: Service, image: bytes) -> Answer:
    call = service.grpc.stub.SegmentStream(metadata=METADATA)
    await call.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))
    await call.write(pb.SegmentStreamRequest(frame=pb.Frame(encoded_image=image)))
    response = await call.read()
    await call.done_writing()
    await call.code()
    kind = response.WhichOneof("outcome")
    return kind == "result", getattr(response, kind).message if kind != "result" else str(response)


Ask = Callable[[Service, bytes], Awaitable[Answer]]
WAYS: dict[Ask, str] = {
    raw: "http",
    multipart: "http",
    json_body: "http",
    kserve: "kserve",
    label_studio: "label_studio",
    grpc_call: "grpc",
    grpc_frame: "grpc_stream",
}
every_way = pytest.mark.parametrize(("ask", "transport"), WAYS.items(), ids=[way.__name__ for way in WAYS])


def outcome(service: Service, transport: str, name: str) -> float:
    """How many requests of a transport ended so; none ended otherwise."""
    count = service.metric("hiseg_requests_total", transport=transport, outcome=name)
    everything = sum(
        sample.value
        for metric in service.grpc.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "hiseg_requests_total" and sample.labels["transport"] == transport
    )
    assert everything == count
    return count


async def all_is_given_back(service: Service) -> None:
    admission = service.grpc.segmenter.admission
    await until(lambda: admission.active_requests == 0 and admission.reserved_bytes == 0)


@every_way
def test_a_request_is_answered_counted_and_logged(ask: Ask, transport: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(Settings(api_keys=KEYS)) as service:
            with caplog.at_level(logging.INFO, "hiseg.requests"):
                assert (await ask(service, PHOTO))[0]
                await until(lambda: any(record.name == "hiseg.requests" for record in caplog.records))
            assert outcome(service, transport, "ok") == 1
            labels = {"transport": transport, "outcome": "ok", "variant": "b0"}
            assert service.metric("hiseg_request_seconds_count", **labels) == 1
            assert service.metric("hiseg_stage_seconds_count", stage="encode") == 1
            await all_is_given_back(service)

    run(scenario())
    (fields,) = (vars(record)["fields"] for record in caplog.records if record.name == "hiseg.requests")
    assert (fields["key"], fields["variant"], fields["model"]) == ("web", "b0", "echo")
    if transport == "grpc_stream":  # a line a stream
        assert fields["frames"] == {"ok": 1}
    else:
        assert (fields["outcome"], set(fields["timings_ms"])) == (
            "ok",
            {"decode", "queue", "infer", "masks", "encode"},
        )


@every_way
def test_the_rate_of_a_key_is_limited(ask: Ask, transport: str) -> None:
    async def scenario() -> None:
        async with serving(Settings(api_keys=KEYS, api_key_rate=0.01)) as service:
            quota = "more than 0.01 requests a second"
            answers = [await ask(service, PHOTO) for _ in range(2)]
            assert [answered for answered, _ in answers] == [True, False]
            assert quota in answers[1][1]
            assert service.metric("hiseg_rejected_total", reason="KEY_RATE") == 1
            assert service.metric("hiseg_requests_total", transport=transport, outcome="KEY_RATE") == 1
            await all_is_given_back(service)

    run(scenario())


@every_way
def test_concurrent_requests_of_a_key_are_limited(ask: Ask, transport: str) -> None:
    async def scenario() -> None:
        async with serving(Settings(api_keys=KEYS, api_key_concurrency=1)) as service:
            service.grpc.engine.gate.clear()
            # Each server of this test has a store of keys of its own.
            first = asyncio.create_task((grpc_call if transport.startswith("grpc") else raw)(service, PHOTO))
            await until(lambda: service.grpc.engine.running)
            if ask is grpc_frame:  # the stream is refused, not its frames
                call = service.grpc.stub.SegmentStream(metadata=METADATA)
                with pytest.raises(AioRpcError, match="at most 1 are taken"):
                    await call.read()
            else:
                answered, text = await ask(service, JUNK)
                assert not answered
                assert "at most 1 are taken" in text
            service.grpc.engine.gate.set()
            assert (await first)[0]

    run(scenario())


@every_way
def test_without_capacity_a_request_is_refused_before_its_image_is_looked_at(ask: Ask, transport: str) -> None:
    async def scenario() -> None:
        async with serving(engine=EchoEngine(prior=Cost(0, 5000, 0))) as service:
            service.grpc.engine.gate.clear()
            busy = asyncio.ensure_future(service.grpc.stub.Segment(pb.SegmentRequest(encoded_image=PHOTO)))
            await until(lambda: service.grpc.engine.running)
            answered, text = await ask(service, JUNK)
            assert not answered
            assert "it would wait about" in text
            assert service.metric("hiseg_requests_total", transport=transport, outcome="WAIT_TOO_LONG") == 1
            assert service.metric("hiseg_rejected_total", reason="WAIT_TOO_LONG") == 1
            service.grpc.engine.gate.set()
            await busy
            await all_is_given_back(service)

    run(scenario())


def test_each_task_of_label_studio_is_refused_on_its_own() -> None:
    async def scenario() -> None:
        async with serving(engine=EchoEngine(prior=Cost(0, 5000, 0))) as service:
            segmenter = service.grpc.segmenter
            checks: list[int] = []
            check = segmenter.check_capacity

            def counting(*arguments: Any) -> None:
                checks.append(1)
                check(*arguments)

            segmenter.check_capacity = counting  # type: ignore[method-assign]
            task = {"data": {"image": f"data:image/png;base64,{base64_of(PHOTO)}"}}
            answered, _ = await post(service, "/predict", json={"tasks": [task] * 3, "label_config": LABEL_CONFIG})
            assert answered
            assert len(checks) == 4

    run(scenario())


@every_way
def test_nothing_is_taken_while_the_service_drains(ask: Ask, transport: str) -> None:
    async def scenario() -> None:
        async with serving() as service:
            service.grpc.segmenter.admission.state = State.DRAINING
            if ask is grpc_frame:
                call = service.grpc.stub.SegmentStream(metadata=METADATA)
                with pytest.raises(AioRpcError, match="shutting down"):
                    await call.read()
                return
            answered, text = await ask(service, JUNK)
            assert not answered
            assert "shutting down" in text
            assert outcome(service, transport, "SHUTTING_DOWN") == 1

    run(scenario())


@every_way
def test_a_request_has_a_deadline(ask: Ask, transport: str) -> None:
    async def scenario() -> None:
        async with serving(Settings(default_deadline_ms=100)) as service:
            service.grpc.engine.gate.clear()
            answered, text = await ask(service, PHOTO)
            assert not answered
            assert "deadline" in text
            assert outcome(service, transport, "DEADLINE_EXCEEDED") == 1
            await all_is_given_back(service)

    run(scenario())


@every_way
def test_a_bug_has_an_id_that_stands_in_the_log_and_is_counted(
    ask: Ask, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> str:
        async with serving() as service:

            async def break_down(*_: object, **__: object) -> None:
                raise KeyError("a secret")

            service.grpc.segmenter.segment = break_down  # type: ignore[method-assign]
            answered, text = await ask(service, PHOTO)
            assert not answered
            assert outcome(service, transport, "INTERNAL_ERROR") == 1
            assert service.metric("hiseg_bugs_total") == 1
            await all_is_given_back(service)
            return text

    text = run(scenario())
    assert "secret" not in text
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info
    (number,) = re.findall("[0-9a-f]{32}", record.getMessage())
    assert number in text


def test_a_bug_outside_of_a_request_is_logged_and_counted_too(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[str]:
        async with serving() as service:
            batchers = service.grpc.segmenter.__dict__.pop("batchers")
            response = await service.http.get("/v1/models")
            call = service.grpc.stub.SegmentStream(metadata=METADATA)
            await call.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))
            with pytest.raises(AioRpcError) as caught:
                await call.read()
            service.grpc.segmenter.batchers = batchers
            assert service.metric("hiseg_bugs_total") == 2
            return [json.loads(response.text)["id"], str(caught.value.details()).split()[-1]]

    for number in run(scenario()):
        assert number in caplog.text
