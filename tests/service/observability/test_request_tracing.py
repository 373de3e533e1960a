"""The caller's W3C trace context is read and passed on to a real Triton, whose spans become children of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import httpx
import pytest

from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import fragile_repository, targets_of
from benchmarks.harness.triton.server import triton
from hiseg.observability.tracing import read_traceparent
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.service.observability.collector import collecting

OVER_HTTP, OVER_GRPC = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"00-{OVER_HTTP}-00f067aa0ba902b7-01", True),
        (f"00-{OVER_HTTP}-00f067aa0ba902b7-00", True),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{OVER_HTTP}-{'0' * 16}-01", False),
        (f"ff-{OVER_HTTP}-00f067aa0ba902b7-01", False),
        (f"00-{OVER_HTTP.upper()}-00f067aa0ba902b7-01", False),
        ("", False),
        ("00-a-b-01\r\nx: y", False),
    ],
)
def test_only_a_trace_context_is_handed_on(text: str, kept: bool) -> None:
    assert read_traceparent(text) == (text if kept else "")


class Collector(ThreadingHTTPServer):
    """Takes spans as OpenTelemetry sends them over HTTP."""

    def __init__(self) -> None:
        received: list[bytes] = []
        changed = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with changed:
                    received.append(body)
                    changed.notify_all()
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self._received, self._changed = received, changed

    def receives(self, number: str, seconds: float = 20) -> bool:
        """Wait for a span that has this trace or this parent, as protobuf or as JSON; say whether it came in time."""
        forms = bytes.fromhex(number), number.encode()
        with self._changed:
            return self._changed.wait_for(
                lambda: any(form in body for body in self._received for form in forms), seconds
            )


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_spans_of_the_server_belong_to_the_callers_trace(
    collector: Collector, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracing = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=1",
        f"opentelemetry,url=http://127.0.0.1:{collector.server_port}/v1/traces",
        "opentelemetry,bsp_schedule_delay=100",
    )
    arguments = tuple(f"--trace-config={setting}" for setting in tracing)
    with (
        triton(fragile_repository(tmp_path), arguments=arguments) as behind,
        collecting(monkeypatch) as ours,
    ):
        with serving((*SERVE, "--engine", targets_of(behind)), tracing=True) as server:
            headers = {"content-type": "image/jpeg", "traceparent": f"00-{OVER_HTTP}-00f067aa0ba902b7-01"}
            url = server.url + "/v1/segment"
            answer = httpx.post(url, content=photo, params={"boxes": "0,0,9,9"}, headers=headers)
            assert answer.status_code == 200, answer.text
            with grpc.insecure_channel(server.grpc.removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
                SegmentationServiceStub(channel).Segment(
                    pb.SegmentRequest(encoded_image=photo, boxes=[pb.Box(x1=0, y1=0, x2=9, y2=9)]),
                    metadata=(("traceparent", f"00-{OVER_GRPC}-00f067aa0ba902b7-01"),),
                )
        # Our spans have gone out with the end of the service. Triton's may be lost if it is ended before they have.
        batches = {batch.trace_id.hex(): batch.span_id.hex() for batch in ours.named("batch")}
        for number in (OVER_HTTP, OVER_GRPC, batches[OVER_HTTP], batches[OVER_GRPC]):
            assert collector.receives(number)
