"""What the load generator and a transport agree on: a request to send, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """What a service under load answers, or doesn't, called by its HTTP status where it has one."""

    OK = "ok"
    OVERLOADED = "429"
    UNAVAILABLE = "503"
    DEADLINE_EXCEEDED = "504"
    CONNECTION_ERROR = "connection error"
    TIMEOUT = "timeout"


EXPECTED_OUTCOMES = frozenset(Outcome)
"""Outcomes that load alone explains; any other (``422``, ``500``, …) needs a reason."""
REFUSALS = frozenset({Outcome.OVERLOADED, Outcome.UNAVAILABLE})
UNANSWERED = frozenset({Outcome.CONNECTION_ERROR, Outcome.TIMEOUT})


@dataclass(frozen=True, slots=True)
class Request:
    """One image with its boxes.

    Attributes:
        number: its index among the requests of the run, which are sent in turn.
        image: a JPEG file.
        boxes: ``x1 y1 x2 y2`` in pixels, one box per person.
        options: options of the request by the service's names.
        caller: the address that the request pretends to come from, if any.
    """

    number: int
    image: bytes
    boxes: tuple[tuple[int, int, int, int], ...]
    options: Mapping[str, str]
    caller: str | None = None

    @property
    def people(self) -> int:
        """The number of boxes."""
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        outcome: an :class:`Outcome`, or another HTTP status; other transports translate theirs.
        size: bytes of the answer's body.
        stages: milliseconds that the service says it spent, by stage.
        detail: why, if load alone doesn't explain the outcome.
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


def parse_server_timing(header: str) -> dict[str, float]:
    """Read ``decode;dur=1.5, infer;dur=40`` as milliseconds by stage; leave out what has no duration."""
    stages = {}
    for part in header.split(","):
        stage, _, milliseconds = part.partition(";dur=")
        try:
            stages[stage.strip()] = float(milliseconds.partition(";")[0])
        except ValueError:
            continue
    return stages
