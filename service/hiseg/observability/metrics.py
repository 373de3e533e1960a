"""Numbers for operators: Prometheus metrics with few, bounded labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hiseg.batching.work import BatchReport, DropReason
from hiseg.core.errors import HisegError, Overloaded, Unavailable
from hiseg.engines.base import ENDPOINT_STATES, EndpointReport
from hiseg.segmenter import Segmenter

Reports = Callable[[], Iterable[EndpointReport]]
"""What a model's servers do now."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
DROP_REASONS = get_args(DropReason)
GONE = "gone"
"""Outcome of a request whose caller left."""
BUG = "bug"
"""Outcome of a request that met an error which isn't ours to explain."""


def outcome_of(error: HisegError | str | None) -> str:
    """What became of a request, in one word; see :meth:`Metrics.answered`."""
    return "ok" if error is None else error if isinstance(error, str) else type(error).__name__


class Metrics:
    """All metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._endpoints: dict[str, Reports] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=tuple(buckets), registry=self.registry)

        self._requests = counter("hiseg_requests", "Segmentation requests answered", "transport", "outcome")
        self._duration = histogram(
            "hiseg_request_seconds", "From a request's arrival to its end", SECONDS, "transport", "outcome", "variant"
        )
        self._rejected = counter("hiseg_rejected", "Requests refused by load or state, by reason", "reason")
        self._unauthorized = counter("hiseg_unauthorized", "Requests without a good API key", "transport")
        self._bugs = Counter(
            "hiseg_bugs", "Requests that met an error which isn't ours to explain", registry=self.registry
        )
        # There from the start: a counter that begins at 1 never rose.
        for transport in ("http", "grpc"):
            self._unauthorized.labels(transport)
        for reason in ("wait", "deadline", "bytes"):
            self._rejected.labels(reason)
        ProcessCollector(registry=self.registry)
        self._stages = histogram("hiseg_stage_seconds", "Time a stage took", SECONDS, "stage")
        self._people = counter("hiseg_instances", "Masks made")
        self._failures = counter("hiseg_batch_failures", "Batches that the engine failed at", "model")
        self._dropped = counter("hiseg_dropped", "Jobs that left before they reached the engine", "model", "reason")
        self._tried = counter("hiseg_model_versions", "Versions that came while the service ran", "model", "outcome")
        self._images = histogram("hiseg_batch_images", "Images in a batch", COUNTS, "model")
        self._rois = histogram("hiseg_batch_rois", "Boxes in a batch", COUNTS, "model")
        self._predicted = histogram("hiseg_batch_cost_seconds", "Predicted time of a batch", SECONDS, "model")
        self._real = histogram("hiseg_batch_seconds", "Real time of a batch in the engine", SECONDS, "model")
        self._streams = Gauge("hiseg_grpc_streams", "Streams that are open", registry=self.registry)
        self._busy = counter("hiseg_engine_busy_seconds", "Time an engine worked; its rate is the busy share", "model")

    def answered(self, transport: str, variant: str, seconds: float, error: HisegError | str | None = None) -> None:
        """Count one request, whatever became of it.

        Args:
            transport: "http", "kserve", "label_studio", "grpc" or, for a frame of a stream, "grpc_stream".
            variant: the one that was asked for, if it is served; else "".
            seconds: from arrival to the end.
            error: what it failed with; GONE or BUG if that is no error of ours; None: it was answered.
        """
        outcome = outcome_of(error)
        self._requests.labels(transport, outcome).inc()
        self._duration.labels(transport, outcome, variant).observe(seconds)
        if error == BUG:
            self._bugs.inc()
        if isinstance(error, Overloaded | Unavailable):
            self._rejected.labels(error.reason).inc()

    def unauthorized(self, transport: str) -> None:
        """Count one that was refused for its API key, over "http" or "grpc"."""
        self._unauthorized.labels(transport).inc()

    def staged(self, timings_ms: Mapping[str, float], instances: int) -> None:
        """Record the stages of a successful request, and how many masks came of it."""
        for stage, milliseconds in timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        self._people.inc(instances)

    def tried(self, model: str, outcome: Literal["used", "refused"]) -> None:
        """A version came while the service ran, and was tried."""
        self._tried.labels(model, outcome).inc()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """A stream is open during the block."""
        with self._streams.track_inprogress():
            yield

    def watch(self, segmenter: Segmenter) -> None:
        """Read a segmenter's gauges whenever Prometheus asks."""
        self.registry.register(_Gauges(segmenter))

    def watch_endpoints(self, model: str, reports: Reports) -> None:
        """Read the gauges and counters of a model's servers whenever Prometheus asks."""
        if not self._endpoints:
            self.registry.register(_Endpoints(self._endpoints))
        self._endpoints[model] = reports

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def watcher(self, model: str) -> ModelWatcher:
        """What a model's batcher reports to."""
        return ModelWatcher(self, model)


class ModelWatcher:
    """Counts one model's batches; a :class:`hiseg.batching.work.Watcher`."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        # Children are looked up once: a batch in a fast engine takes a few milliseconds.
        self._images = metrics._images.labels(model)
        self._rois = metrics._rois.labels(model)
        self._predicted = metrics._predicted.labels(model)
        self._real = metrics._real.labels(model)
        self._busy = metrics._busy.labels(model)
        self._failures = metrics._failures.labels(model)
        self._dropped = {reason: metrics._dropped.labels(model, reason) for reason in DROP_REASONS}

    def ran(self, report: BatchReport) -> None:
        self._images.observe(report.images)
        self._rois.observe(report.rois)
        self._predicted.observe(report.predicted_ms / 1000)
        self._real.observe(report.real_ms / 1000)
        self._busy.inc(report.real_ms / 1000)

    def failed(self) -> None:
        self._failures.inc()

    def dropped(self, reason: DropReason) -> None:
        self._dropped[reason].inc()


class _Gauges(Collector):
    """What is true at the moment of asking."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def collect(self) -> Iterable[Metric]:
        admission = self._segmenter.admission
        yield GaugeMetricFamily("hiseg_ready", "1 if requests are taken, as /readyz says", self._ready())
        yield GaugeMetricFamily("hiseg_requests_inside", "Requests being worked on", admission.inside)
        yield GaugeMetricFamily("hiseg_held_bytes", "Bytes that the requests inside hold", admission.held)
        jobs = GaugeMetricFamily("hiseg_queue_jobs", "Jobs that wait for the engine", labels=["model"])
        age = GaugeMetricFamily("hiseg_queue_age_seconds", "How long the oldest of them has waited", labels=["model"])
        cost = GaugeMetricFamily("hiseg_queue_cost_seconds", "Predicted engine time of what waits", labels=["model"])
        labels = ["model", "version", "variant", "engine"]
        model = GaugeMetricFamily("hiseg_model_info", "Models served, and what runs them now; always 1", labels=labels)
        for name, batcher in self._segmenter.batchers.items():
            ref = batcher.engine.info.ref
            jobs.add_metric([name], batcher.waiting)
            age.add_metric([name], batcher.oldest_s())
            cost.add_metric([name], batcher.backlog.waiting_ms / 1000)
            model.add_metric([name, ref.version, ref.variant, ref.engine], 1)
        yield from (jobs, age, cost, model)

    def _ready(self) -> bool:
        try:
            self._segmenter.check_ready()
        except Unavailable:
            return False
        return True


class _Endpoints(Collector):
    """The servers of each model. They count for themselves: one that leaves takes its labels with it."""

    def __init__(self, models: Mapping[str, Reports]) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        labels = ["model", "endpoint"]
        state = GaugeMetricFamily("hiseg_triton_state", "1 for the state a server is in", labels=[*labels, "state"])
        batches = CounterMetricFamily("hiseg_triton_batches", "Batches that came back", labels=labels)
        failures = CounterMetricFamily("hiseg_triton_failures", "Batches that failed", labels=labels)
        retries = CounterMetricFamily("hiseg_triton_retries", "Of those, run again on another server", labels=labels)
        in_flight = GaugeMetricFamily("hiseg_triton_in_flight", "Batches that are there now", labels=labels)
        outstanding = GaugeMetricFamily("hiseg_triton_outstanding_seconds", "Their predicted time", labels=labels)
        for model, report in ((model, report) for model, reports in self._models.items() for report in reports()):
            where = [model, report.address]
            for name in ENDPOINT_STATES:
                state.add_metric([*where, name], report.state == name)
            batches.add_metric(where, report.batches)
            failures.add_metric(where, report.failures)
            retries.add_metric(where, report.retries)
            in_flight.add_metric(where, report.in_flight)
            outstanding.add_metric(where, report.outstanding_ms / 1000)
        yield from (state, batches, failures, retries, in_flight, outstanding)
