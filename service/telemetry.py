"""Numbers for operators: Prometheus metrics with few, bounded labels."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hiseg_requests", "Segmentation requests answered", ["transport", "outcome"], registry=self.registry
        )
        self.duration = Histogram(
            "hiseg_request_seconds",
            "Time from the request's arrival to its answer",
            ["transport", "outcome"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.stages = Histogram(
            "hiseg_stage_seconds", "Time a stage took", ["stage"], buckets=BUCKETS, registry=self.registry
        )
        self.people = Counter("hiseg_instances", "Masks made", registry=self.registry)
        self.inside = Gauge("hiseg_requests_inside", "Requests being worked on", registry=self.registry)

    def answered(self, transport: str, outcome: str, seconds: float) -> None:
        """Count one request, whatever became of it."""
        self.requests.labels(transport, outcome).inc()
        self.duration.labels(transport, outcome).observe(seconds)

    def staged(self, timings_ms: Mapping[str, float]) -> None:
        """Record the stages of a successful request."""
        for stage, milliseconds in timings_ms.items():
            self.stages.labels(stage).observe(milliseconds / 1000)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
