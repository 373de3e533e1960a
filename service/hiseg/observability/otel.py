"""Tracing with OpenTelemetry: spans are sent to a collector over OTLP (gRPC), as the ``OTEL_*`` variables configure."""

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
    """A :class:`hiseg.observability.tracing.Span` of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, outcome: str) -> None:
        self._span.set_attribute("hiseg.outcome", outcome)
        if outcome != "ok":
            self._span.set_status(StatusCode.ERROR, outcome)
        self._span.end()


class OtelTracing:
    """A :class:`hiseg.observability.tracing.Tracing` of OpenTelemetry. A thread of its own sends the spans, seconds
    later."""

    is_on = True

    def __init__(self) -> None:
        resource = Resource({"service.name": "hiseg"}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("hiseg")

    def start_request(self, name: str, traceparent: str) -> Span:
        return OtelSpan(self._tracer.start_span(name, parent_context(traceparent), SpanKind.SERVER))

    def record_stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        parent, now = parent_context(traceparent), time.time_ns()
        for stage in stages:
            began = now - round(stage.ago_s * 1e9)
            span = self._tracer.start_span(stage.name, parent, start_time=began)
            span.end(began + round(stage.ms * 1e6))

    def start_batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        requests = [context for context in map(parse_traceparent, traceparents) if context is not None]
        first = next(filter(None, traceparents), "")
        attributes: dict[str, str | int] = {
            "hiseg.model": model,
            "hiseg.images": len(traceparents),
            "hiseg.boxes": rois,
        }
        links = [Link(request) for request in requests]
        return OtelSpan(self._tracer.start_span("batch", parent_context(first), SpanKind.CLIENT, attributes, links))

    def close(self) -> None:
        self._provider.shutdown()


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """The span context in a valid W3C trace context; None if the text is empty."""
    if not traceparent:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def parent_context(traceparent: str) -> Context:
    """The OpenTelemetry context in which new spans are children of a W3C trace context, or roots if it is empty."""
    parent = parse_traceparent(traceparent)
    return Context() if parent is None else trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())
