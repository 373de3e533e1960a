"""Spans to an OpenTelemetry collector over OTLP (gRPC); where it is, how many are kept and all else say ``OTEL_*``."""

from __future__ import annotations

import time
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from hiseg.observability.tracing import Span, Stage


class OtelSpan:
    """A :class:`hiseg.observability.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        own = span.get_span_context()
        self.traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def end(self, outcome: str) -> None:
        self._span.set_attribute("hiseg.outcome", outcome)
        if outcome != "ok":
            self._span.set_status(StatusCode.ERROR, outcome)
        self._span.end()


class OtelTracing:
    """A :class:`hiseg.observability.tracing.Tracing`. Spans are sent by a thread of its own, some seconds later."""

    is_on = True

    def __init__(self) -> None:
        resource = Resource({"service.name": "hiseg"}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("hiseg")

    def request(self, name: str, traceparent: str) -> Span:
        return OtelSpan(self._tracer.start_span(name, within(traceparent), SpanKind.SERVER))

    def stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        parent, now = within(traceparent), time.time_ns()
        for stage in stages:
            began = now - round(stage.ago_s * 1e9)
            span = self._tracer.start_span(stage.name, parent, start_time=began)
            span.end(began + round(stage.ms * 1e6))

    def batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        requests = [told for told in map(context_of, traceparents) if told is not None]
        first = next(filter(None, traceparents), "")
        attributes: dict[str, str | int] = {
            "hiseg.model": model,
            "hiseg.images": len(traceparents),
            "hiseg.boxes": rois,
        }
        links = [Link(request) for request in requests]
        return OtelSpan(self._tracer.start_span("batch", within(first), SpanKind.CLIENT, attributes, links))

    def close(self) -> None:
        self._provider.shutdown()


def context_of(traceparent: str) -> SpanContext | None:
    """What W3C's text says, which must be valid; None if it is empty."""
    if not traceparent:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def within(traceparent: str) -> Context:
    """The context whose spans belong to that one."""
    told = context_of(traceparent)
    return Context() if told is None else trace.set_span_in_context(trace.NonRecordingSpan(told), Context())
