"""Real servers on loopback with scripted answers, for cases that a healthy service can't produce."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

SERVICE, SEGMENT = "hiseg.v1.SegmentationService", "Segment"
ANSWER = b"""{"image": {"width": 4, "height": 3, "notes": []}, "model": {"name": "m", "version": "1", "variant": "b0"},
"instances": [], "timings_ms": {"infer": 1.5}}"""
MESSAGE = pb.SegmentResponse(image=pb.ImageInfo(width=4, height=3))


@dataclass
class Step:
    """One answer.

    Attributes:
        status: HTTP's.
        code: gRPC's; None: OK.
        headers: HTTP's headers, gRPC's trailing metadata.
        body: HTTP's body; gRPC's details.
        hang: seconds to wait before the answer.
        drop: close the connection instead of answering.
    """

    status: int = 200
    code: grpc.StatusCode | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = ANSWER
    hang: float = 0
    drop: bool = False


@dataclass
class Heard:
    """What a server was asked: when, and with which headers and paths."""

    url: str = ""
    times: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def pauses(self) -> list[float]:
        return [later - sooner for sooner, later in zip(self.times, self.times[1:], strict=False)]


@contextmanager
def http(steps: Sequence[Step], tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    """Answers with each step once, and with the last one from then on."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            step = steps[min(len(heard.times), len(steps) - 1)]
            heard.times.append(time.monotonic())
            heard.headers.append({name.lower(): value for name, value in self.headers.items()})
            heard.paths.append(self.path)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(step.hang)
            if step.drop:
                self.close_connection = True
                return
            self.send_response(step.status)
            for name, value in step.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(step.body)))
            self.end_headers()
            self.wfile.write(step.body)

        do_GET = do_POST  # noqa: N815

        def setup(self) -> None:
            self.request.settimeout(5)
            super().setup()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a caller who hangs up, or shows no certificate

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    heard.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_server(steps: Sequence[Step], credentials: grpc.ServerCredentials | None = None) -> Iterator[Heard]:
    """The same for `Segment`."""
    heard = Heard()

    def segment(request: bytes, context: grpc.ServicerContext) -> bytes:
        step = steps[min(len(heard.times), len(steps) - 1)]
        heard.times.append(time.monotonic())
        heard.headers.append({item.key: item.value for item in context.invocation_metadata()})
        time.sleep(step.hang)
        if step.code is not None:
            context.set_trailing_metadata(tuple(step.headers.items()))
            context.abort(step.code, step.body.decode())
        return MESSAGE.SerializeToString()

    with ThreadPoolExecutor(4) as workers:
        server = grpc.server(workers)
        handlers = {SEGMENT: grpc.unary_unary_rpc_method_handler(segment)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        if credentials:
            port = server.add_secure_port("localhost:0", credentials)
            heard.url = f"grpcs://localhost:{port}"
        else:
            heard.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield heard
        finally:
            server.stop(None).wait()
