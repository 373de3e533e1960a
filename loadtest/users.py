"""The users of the load tests: web back ends over HTTP and gRPC, and cameras that hold a stream open.

Each user keeps its own pace whatever the service does, as far as a user that waits for its answers can; the throughput
mark says how far it could. Refusals count as failures here: at the requested rate there should be none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count, cycle, islice
from typing import Any, TypeVar

import grpc.experimental.gevent
from locust import FastHttpUser, User, constant_pacing, constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser

from hiseg.client import Client, Dropped, Failed, Frame, Segmented
from hiseg.client.transport import API_KEY
from loadtest.shots import Shot, shots

# Else the first gRPC call would hold up all users.
grpc.experimental.gevent.init_gevent()

CALLS_PER_S = 0.5
FORMATS = ("coco_rle",) * 9 + ("overlay",)
FRAMES_PER_S = 2.0
FRAMES = 10
"""Of one stream; then the camera starts again."""
SHOTS = shots()
_starts = count(0, 17)
T = TypeVar("T")


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    """Where gRPC is, as locust itself asks for HTTP's host, and the key that both want."""
    parser.add_argument("--grpc", default="grpc://127.0.0.1:50051", env_var="LOAD_GRPC", help="the service's gRPC URL")
    parser.add_argument(
        "--api-key", default=None, env_var="HISEG_API_KEY", include_in_web_ui=False, help="for services that need one"
    )


def asked_per_s(users: Mapping[str, int]) -> float:
    """Requests a second that so many users of each kind mean to send; a frame is one."""
    return sum(kind.per_s * users.get(kind.__name__, 0) for kind in KINDS)


class Web(FastHttpUser):
    """A back end that posts images and wants COCO's run lengths, or now and then the image with masks drawn."""

    per_s = CALLS_PER_S
    weight = 3
    wait_time = constant_throughput(CALLS_PER_S)

    def on_start(self) -> None:
        self.shots = _some()
        # Not by chance, so that a short run has both in the same shares as a long one.
        self.formats = cycle(FORMATS)
        key = self.environment.parsed_options.api_key
        self.headers = {"content-type": "image/jpeg"} | ({API_KEY: key} if key else {})

    @task
    def segment(self) -> None:
        shot, mask_format = next(self.shots), next(self.formats)
        path = f"/v1/segment?mask_format={mask_format}&boxes={shot.query.replace(';', '%3B')}"
        with self.client.post(
            path, data=shot.image, headers=self.headers, name=f"HTTP {mask_format}", catch_response=True
        ) as answer:
            if answer.status_code == 200 and mask_format == "coco_rle":
                found = len(answer.json()["instances"])
                if found != len(shot.boxes):
                    answer.failure(f"{found} instances for {len(shot.boxes)} boxes")


class GrpcUser(User):
    """A caller with a gRPC client; locust measures what it is told."""

    abstract = True

    def on_start(self) -> None:
        self.shots = _some()
        given = self.environment.parsed_options
        self.client = Client(given.grpc, api_key=given.api_key or None, retries=0)

    def on_stop(self) -> None:
        self.client.close()

    def tell(self, name: str, started: float, size: int, error: Exception | None) -> None:
        """One request, as locust's own users report theirs."""
        self.environment.events.request.fire(
            request_type="gRPC",
            name=name,
            response_time=(time.perf_counter() - started) * 1000,
            response_length=size,
            exception=error,
            context={},
        )


class Unary(GrpcUser):
    """A back end that calls ``Segment``."""

    per_s = CALLS_PER_S
    weight = 2
    wait_time = constant_throughput(CALLS_PER_S)

    @task
    def segment(self) -> None:
        shot, started = next(self.shots), time.perf_counter()
        result, error = _tried(lambda: self.client.segment(shot.image, shot.boxes))
        if result and len(result.instances) != len(shot.boxes):
            error = ValueError(f"{len(result.instances)} instances for {len(shot.boxes)} boxes")
        self.tell("Segment", started, 0, error)


class Camera(GrpcUser):
    """A camera that sends frames at its own pace and wants the newest; a frame that is dropped is no failure."""

    per_s = FRAMES_PER_S
    weight = 1
    # A stream takes longer than this, unless it fails: then the next one isn't tried at once.
    wait_time = constant_pacing(FRAMES / FRAMES_PER_S)

    @task
    def watch(self) -> None:
        sent: dict[int, float] = {}

        def frames() -> Iterator[Frame]:
            start = time.perf_counter()
            for number, shot in enumerate(islice(self.shots, FRAMES)):
                time.sleep(max(0.0, start + number / FRAMES_PER_S - time.perf_counter()))
                sent[number] = time.perf_counter()
                yield Frame(shot.image, shot.boxes)
            time.sleep(1 / FRAMES_PER_S)

        def watched() -> None:
            for outcome in self.client.stream(frames(), "latest_only"):
                match outcome:
                    case Segmented(sequence=sequence):
                        self.tell("frame", sent[sequence], 0, None)
                    case Dropped(sequence=sequence):
                        self.tell("frame, dropped", sent[sequence], 0, None)
                    case Failed(sequence=sequence, error=error):
                        self.tell("frame", sent[sequence], 0, error)

        if error := _tried(watched)[1]:
            self.tell("stream", time.perf_counter(), 0, error)


KINDS: tuple[Any, ...] = (Web, Unary, Camera)


def _some() -> Iterator[Shot]:
    """All shots over and over; each user begins elsewhere."""
    start = next(_starts) % len(SHOTS)
    return cycle(SHOTS[start:] + SHOTS[:start])


def _tried(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return call(), None
    except Exception as error:  # whatever it is, it is a failure of the service's to report
        return None, error
