"""Callers over HTTP and gRPC and cameras before the load balancer, and what may become of their requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.containers.composition import Composition, until
from tests.containers.stack import Stack
from tests.docker.load import Seen, load

BOXES = [[4.0, 3.0, 70.0, 96.0]]
CALLERS, CAMERAS = 2, 2
"""Callers of each transport, each of whom waits for the answer before the next request."""
BUSY = "RESOURCE_EXHAUSTED"
REFUSED = 0.02
"""The largest share of requests that may be refused. Measured: none on a quiet machine; 3 of 933 beside two trainings,
where a replica that started kept the others from their cores, and a request would have waited for more than 2 s."""
FRAMES_THAT_MAY_BE_LOST = {"superseded", "unavailable", "overloaded"}
"""A camera is told of each frame that got no masks; on a busy machine newer frames replace older ones."""


@dataclass(slots=True)
class Step:
    """What came of one step under load.

    Attributes:
        seen: by callers.
        exits: of containers, as ``SERVICE CODE``.
    """

    seen: Seen
    exits: Counter[str]

    @property
    def refused(self) -> int:
        """Requests and calls that a busy replica answered with: not now. Their callers are told; nothing is lost."""
        return self.seen.http["429"] + sum(count for kind, count in self.seen.grpc.items() if kind.startswith(BUSY))

    @property
    def failed(self) -> Counter[str]:
        """Requests and calls that got neither masks nor a refusal, by kind."""
        both = Counter({f"HTTP {kind}": count for kind, count in self.seen.http.items() if kind not in ("200", "429")})
        calls = {kind: count for kind, count in self.seen.grpc.items() if kind != "OK" and not kind.startswith(BUSY)}
        both.update({f"gRPC {kind}": count for kind, count in calls.items()})
        return both

    def line(self) -> str:
        """What is reported."""
        seen = self.seen
        sent = f"{seen.http.total()} requests, {seen.grpc.total()} calls, {seen.results} frames"
        ended = ", ".join(f"{name} x{count}" for name, count in sorted(self.exits.items())) or "none"
        return (
            f"{sent}; refused {self.refused}; failed {dict(self.failed) or 0}; frames lost {dict(seen.lost) or 0}; "
            f"reconnected {seen.reconnected}; wrong masks {seen.wrong}; ended: {ended}"
        )

    def check(self, failed: int = 0, reconnected: int | None = None, ended: set[str] | None = None) -> None:
        """Fail unless callers saw no more than that.

        Args:
            failed: requests and calls that may fail, of all.
            reconnected: how often cameras may open their stream again; None: any number.
            ended: exits that there may have been; None: ``service 0`` alone.
        """
        seen = self.seen
        assert seen.wrong == 0, self.line()
        assert seen.http["200"], self.line()
        assert seen.grpc["OK"], self.line()
        assert seen.results, self.line()
        assert self.failed.total() <= failed, self.line()
        assert self.refused <= REFUSED * (seen.http.total() + seen.grpc.total()), self.line()
        assert set(seen.lost) <= FRAMES_THAT_MAY_BE_LOST, self.line()
        assert reconnected is None or seen.reconnected <= reconnected, self.line()
        assert set(self.exits) <= ({"service 0"} if ended is None else ended), self.line()


@contextmanager
def under_load(running: Composition | Stack, picture: bytes) -> Iterator[Step]:
    """The block, with callers and cameras; what came of it is complete afterwards.

    It begins and ends with requests that are answered, so a step that broke everything for good is seen.
    """
    with (
        running.engine.exits(running.label) as exits,
        load(running.http, running.grpc, picture, BOXES, CAMERAS, CALLERS) as seen,
    ):
        _wait_for_answers(seen)
        yield Step(seen, exits)
        _wait_for_answers(seen)


def _wait_for_answers(seen: Seen) -> None:
    http, grpc, results = seen.http["200"], seen.grpc["OK"], seen.results
    until(
        lambda: seen.http["200"] > http and seen.grpc["OK"] > grpc and seen.results > results,
        f"callers get nothing any more: {seen}",
    )
