"""What the service tells a tracer, and the tracer that nobody asked for, which does nothing.

A trace context travels as W3C's text from the door to the engine, so that nothing in between knows of OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Stage(NamedTuple):
    """A stage of a request that is over.

    Attributes:
        name: decode, queue, infer, masks or encode.
        ago_s: seconds since it began.
        ms: how long it took.
    """

    name: str
    ago_s: float
    ms: float


class Span(Protocol):
    """Something that takes time."""

    @property
    def traceparent(self) -> str:
        """What belongs to it is given this; empty: it isn't traced."""

    def end(self, outcome: str) -> None:
        """It is over; "ok", or what went wrong."""


class Tracing(Protocol):
    """Takes spans."""

    @property
    def is_on(self) -> bool:
        """Whether anybody will see them."""

    def request(self, name: str, traceparent: str) -> Span:
        """A request began; it belongs to the caller's trace if there is one."""

    def stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        """The stages of a request."""

    def batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        """A batch goes to the engine: part of the first request's trace, linked to all requests in it."""

    def close(self) -> None:
        """Send what isn't sent."""


@dataclass(frozen=True, slots=True)
class Untraced:
    """A :class:`Span` that nobody sees; the caller's trace goes past it."""

    traceparent: str

    def end(self, outcome: str) -> None:
        pass


class NoTracing:
    """A :class:`Tracing` that costs nothing."""

    is_on = False

    def request(self, name: str, traceparent: str) -> Span:
        return Untraced(traceparent)

    def stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        pass

    def batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        return Untraced(next(filter(None, traceparents), ""))

    def close(self) -> None:
        pass


OFF = NoTracing()
