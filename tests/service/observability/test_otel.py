"""Spans as a real receiver of OpenTelemetry's protocol gets them: parents and links, and what reaches the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from benchmarks.harness.serving import serving
from hiseg.observability.otel import OtelTracing
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.observability.collector import Collector, collecting
from tests.service.transports.grpc.camera import FRAME, Camera
from tests.service.transports.grpc.harness import running, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OF_CAMERA = "0af7651916cd43dd8448eb211c80319c"
STAGES = {"decode", "queue", "infer", "masks", "encode"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting(monkeypatch) as taken:
        yield taken


def test_one_span_a_stage_in_the_callers_trace(collector: Collector, photo: bytes) -> None:
    headers = {"content-type": "image/jpeg", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    with serving(tracing=True) as server:
        url = f"{server.url}/v1/segment"
        assert httpx.post(url, content=photo, params={"boxes": "22,15,365,512"}, headers=headers).status_code == 200
        assert httpx.post(url, content=photo, params={"boxes": "1,2"}, headers=headers).status_code == 422
    well, wrong = sorted(collector.named("POST /v1/segment"), key=lambda span: span.status.code)
    for request in (well, wrong):
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert collector.services == {"hiseg"}
    assert collector.children(well) == STAGES | {"batch"}
    assert collector.children(wrong) == set()
    assert wrong.status.message == "INVALID_REQUEST"
    stages = {span.name: span for span in collector.spans if span.parent_span_id == well.span_id}
    began = {name: span.start_time_unix_nano for name, span in stages.items()}
    assert began["queue"] <= began["decode"] <= began["infer"] <= began["masks"] <= began["encode"]
    assert all(span.end_time_unix_nano <= well.end_time_unix_nano for span in stages.values())


def test_calls_and_frames_have_spans_and_a_batch_is_linked_to_its_requests(collector: Collector) -> None:
    async def scenario() -> list[str]:
        tracing = OtelTracing()
        async with running(tracing=tracing) as service:
            service.engine.gate.clear()
            trace_context = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)

            def call(metadata: tuple[tuple[str, str], ...] = ()) -> asyncio.Future[pb.SegmentResponse]:
                return asyncio.ensure_future(
                    service.stub.Segment(pb.SegmentRequest(**FRAME), timeout=20, metadata=metadata)
                )

            waiting = [call(trace_context)]
            await until(lambda: service.engine.running == 1)
            waiting += [call() for _ in range(3)]
            await until(lambda: service.segmenter.batchers["echo"].waiting == 3)
            await service.decoded()  # whoever isn't decoded when the engine gets free stays behind
            service.engine.gate.set()
            await asyncio.gather(*waiting)
            camera = Camera(service, (("traceparent", f"00-{OF_CAMERA}-{PARENT}-01"),))
            await camera.call.write(pb.SegmentStreamRequest(config={}))
            await camera.send()
            await camera.finish()
        await asyncio.to_thread(tracing.close)
        return [batch.meta.traceparent for batch in service.engine.batches]

    given = asyncio.run(scenario())
    calls = collector.named("hiseg.v1.SegmentationService/Segment")
    assert len(calls) == 4
    assert [call.parent_span_id.hex() for call in calls if call.trace_id.hex() == TRACE] == [PARENT]
    assert all(collector.children(call) >= STAGES for call in calls)
    (frame,) = collector.named("grpc_stream frame")
    assert (frame.trace_id.hex(), frame.parent_span_id.hex()) == (OF_CAMERA, PARENT)
    assert collector.children(frame) == STAGES | {"batch"}
    batches = collector.named("batch")
    assert sorted((batch.trace_id.hex(), batch.span_id.hex()) for batch in batches) == sorted(
        (trace, span) for _, trace, span, _ in (text.split("-") for text in given)
    )
    linked = [link.span_id for batch in batches for link in batch.links]
    assert sorted(linked) == sorted(span.span_id for span in (*calls, frame))
    assert sorted(len(batch.links) for batch in batches) == [1, 1, 3]


def test_a_request_that_the_caller_does_not_sample_is_not_sent(collector: Collector) -> None:
    tracing = OtelTracing()
    request = tracing.start_request("call", f"00-{TRACE}-{PARENT}-00")
    batch = tracing.start_batch("b0", [request.traceparent], 1)
    for span in (batch, request):
        assert span.traceparent.startswith(f"00-{TRACE}-")
        assert span.traceparent.endswith("-00")
        span.end("ok")
    tracing.close()
    assert collector.spans == []
