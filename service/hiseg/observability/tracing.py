"""Distributed tracing as the rest of the service sees it: a small interface, and an implementation that does nothing.

A trace context travels as the text of W3C Trace Context (``traceparent``) from the request to the engine, so that
nothing in between depends on OpenTelemetry; :mod:`hiseg.observability.otel` implements the interface with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

HEADER = "traceparent"
"""Name of the HTTP header, and of the key in gRPC metadata."""
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_traceparent(text: str) -> str:
    """Return the header if it is a valid trace context, else an empty text, as the specification asks."""
    return text if _TRACEPARENT.fullmatch(text) else ""


class Stage(NamedTuple):
    """A stage of a request that has ended.

    Attributes:
        name: ``decode``, ``queue``, ``infer``, ``masks`` or ``encode``.
        ago_s: seconds since the stage began.
        ms: milliseconds that it took.
    """

    name: str
    ago_s: float
    ms: float


class Span(Protocol):
    """A request or a batch that is being traced."""

    @property
    def traceparent(self) -> str:
        """The trace context for what belongs to this span; empty if it isn't traced."""

    def end(self, outcome: str) -> None:
        """End the span; ``outcome`` is ``ok`` or says what went wrong."""


class Tracing(Protocol):
    """Receives the spans of requests, of their stages and of batches."""

    @property
    def is_on(self) -> bool:
        """Whether spans are sent anywhere; if not, callers may skip what it takes to make them."""

    def start_request(self, name: str, traceparent: str) -> Span:
        """Begin the span of a request, in the caller's trace if ``traceparent`` isn't empty."""

    def record_stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        """Record the stages of a request, after they have ended."""

    def start_batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        """Begin the span of a batch that goes to the engine.

        It is part of the trace of the first request that has one, and linked to all requests in the batch.

        Args:
            model: name of the model.
            traceparents: trace context of each request in the batch; empty for those that aren't traced.
            rois: number of boxes in the batch.
        """

    def close(self) -> None:
        """Send the spans that haven't been sent yet."""


@dataclass(frozen=True, slots=True)
class Untraced:
    """A :class:`Span` that isn't recorded; it hands the caller's trace context on unchanged."""

    traceparent: str

    def end(self, outcome: str) -> None:
        pass


class NoTracing:
    """A :class:`Tracing` that records nothing and costs next to nothing."""

    is_on = False

    def start_request(self, name: str, traceparent: str) -> Span:
        return Untraced(traceparent)

    def record_stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        pass

    def start_batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        return Untraced(next(filter(None, traceparents), ""))

    def close(self) -> None:
        pass


OFF = NoTracing()
