"""A well-behaved caller in a process of its own, who asks on time and notes how long each answer takes."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.hostile.kind import Target
from benchmarks.hostile.wire import HOST
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2_grpc as pb_grpc

ADDRESS = "127.0.0.2"
"""The caller's address over HTTP; over gRPC it is 127.0.0.1."""
PATIENCE_S = 40.0
HEALTH, HTTP, GRPC, STREAM = "healthz", "HTTP", "gRPC", "stream"
PERIODS_S = {HEALTH: 0.1, HTTP: 0.5, GRPC: 1.0, STREAM: 1.0}
GOOD = ("200", "OK")
BOXES = ";".join(",".join(f"{edge:g}" for edge in box) for box in SAMPLE_BOXES)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request.

    Attributes:
        probe: which.
        begun: time of ``time.monotonic``.
        seconds: until its answer was read.
        loop_s: CPU seconds of the service's main thread meanwhile, which runs its event loop: what a wait would
            be on a machine that has nothing else to do.
        outcome: its status.
    """

    probe: str
    begun: float
    seconds: float
    loop_s: float
    outcome: str


class Caller:
    """Sends what a well-behaved caller sends, and returns the status of each answer."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._headers = {"content-type": "image/jpeg"} | ({"x-api-key": target.good_key} if target.good_key else {})
        self._metadata = [("x-api-key", target.good_key)] if target.good_key else []
        self._photo = SAMPLE.read_bytes()
        address = f"{HOST}:{target.grpc}"
        if target.tls:
            certificate = (target.folder / "cert.pem").read_bytes()
            self._tls = ssl.create_default_context(cafile=str(target.folder / "cert.pem"))
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(certificate))
        else:
            channel = grpc.insecure_channel(address)
        self._stub = pb_grpc.SegmentationServiceStub(channel)  # type: ignore[no-untyped-call]
        boxes = [pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in SAMPLE_BOXES]
        self._request = pb.SegmentRequest(encoded_image=self._photo, boxes=boxes)
        frame = pb.Frame(encoded_image=self._photo, boxes=boxes)
        self._messages = [pb.SegmentStreamRequest(config=pb.StreamConfig()), pb.SegmentStreamRequest(frame=frame)]

    def health(self) -> str:
        """Ask for ``/healthz``."""
        return self._http("GET", "/healthz")

    def over_http(self) -> str:
        """Ask for the masks of two people, on a new connection."""
        return self._http("POST", f"/v1/segment?boxes={BOXES}", self._photo)

    def over_grpc(self) -> str:
        """The same with ``Segment``."""
        try:
            self._stub.Segment(self._request, metadata=self._metadata, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return _status(error)
        return "OK"

    def on_a_stream(self) -> str:
        """The same with one frame of a new stream."""
        try:
            answers = self._stub.SegmentStream(iter(self._messages), metadata=self._metadata, timeout=PATIENCE_S)
            outcomes = [str(answer.WhichOneof("outcome")) for answer in answers]
        except grpc.RpcError as error:
            return _status(error)
        return "OK" if outcomes == ["result"] else " ".join(outcomes)

    def _http(self, method: str, path: str, body: bytes | None = None) -> str:
        where = (HOST, self._target.http)
        source = (ADDRESS, 0)
        connection = (
            http.client.HTTPSConnection(*where, timeout=PATIENCE_S, source_address=source, context=self._tls)
            if self._target.tls
            else http.client.HTTPConnection(*where, timeout=PATIENCE_S, source_address=source)
        )
        try:
            connection.request(method, path, body, self._headers)
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()


def _status(error: grpc.RpcError) -> str:
    return error.code().name if isinstance(error, grpc.Call) else type(error).__name__


def probe(target: Target, pid: int, pipe: Connection) -> None:
    """Wait for a word through the pipe, ask until the next one comes, then send all samples.

    Args:
        target: the service.
        pid: its process.
        pipe: the other end is the measurement's.
    """
    caller = Caller(target)
    samples: list[Sample] = []
    stop = threading.Event()
    schedule = Path(f"/proc/{pid}/task/{pid}/schedstat")

    def loop_s() -> float:
        try:
            return int(schedule.read_text().split()[0]) / 1e9
        except OSError:  # it has ended
            return 0.0

    def ask(name: str, once: Callable[[], str]) -> None:
        while not stop.is_set():
            begun, used = time.monotonic(), loop_s()
            outcome = once()
            seconds = time.monotonic() - begun
            samples.append(Sample(name, begun, seconds, loop_s() - used, outcome))
            stop.wait(max(0.0, PERIODS_S[name] - seconds))

    probes = {HEALTH: caller.health, HTTP: caller.over_http, GRPC: caller.over_grpc, STREAM: caller.on_a_stream}
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in probes.items()]
    pipe.recv()
    for thread in threads:
        thread.start()
        time.sleep(0.15)
    pipe.recv()
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S + 5)
    pipe.send(samples)
