"""What the generator and a transport agree on: a request to send, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

OK = "ok"
SHED, UNAVAILABLE, LATE = "429", "503", "504"
CONNECTION, TIMEOUT = "connection error", "timeout"
USUAL = (OK, SHED, UNAVAILABLE, LATE, CONNECTION, TIMEOUT)
"""What a service under load answers, or doesn't. Any other outcome is a status of its own."""
REFUSALS = frozenset({SHED, UNAVAILABLE})
UNANSWERED = frozenset({CONNECTION, TIMEOUT})


@dataclass(frozen=True, slots=True)
class Request:
    """One image with its boxes.

    Attributes:
        number: its place among the requests of the run; they are sent in turn.
        image: a JPEG.
        boxes: ``x1 y1 x2 y2`` in pixels.
        options: as the service names them.
        caller: the address that the request pretends to come from, if any.
    """

    number: int
    image: bytes
    boxes: tuple[tuple[int, int, int, int], ...]
    options: Mapping[str, str]
    caller: str | None = None

    @property
    def people(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        outcome: ``ok``, an HTTP status (other transports translate theirs), ``connection error`` or ``timeout``.
        size: bytes of the answer's body.
        stages: milliseconds that the service says it spent, by stage.
        detail: why, if the outcome is none that load alone explains.
    """

    outcome: str
    size: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)
    detail: str = ""


class Sender(Protocol):
    """A transport to the service."""

    async def send(self, request: Request) -> Reply:
        """Send one request and read all of the answer; whatever goes wrong is an outcome, not an exception."""
        ...


def stages(server_timing: str) -> dict[str, float]:
    """``decode;dur=1.5, infer;dur=40`` -> milliseconds by stage; what has no duration is left out."""
    found = {}
    for part in server_timing.split(","):
        stage, _, milliseconds = part.partition(";dur=")
        try:
            found[stage.strip()] = float(milliseconds.partition(";")[0])
        except ValueError:
            continue
    return found
