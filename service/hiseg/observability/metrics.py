"""Prometheus metrics of the service: few of them, with labels of few values.

Counters and histograms are updated as things happen. Gauges are read whenever Prometheus scrapes, from functions that
return a report (:mod:`hiseg.observability.reports`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hiseg.core.errors import HisegError, Overloaded, Reason, Unavailable
from hiseg.observability.reports import BatchReport, DropReason, EndpointReport, EndpointState, ServiceReport

EndpointReports = Callable[[], Iterable[EndpointReport]]
"""Returns the present report of every server that runs one model."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bucket limits of histograms of times, in seconds."""
COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Bucket limits of histograms of counts."""
DROP_REASONS: tuple[DropReason, ...] = get_args(DropReason)
GONE = "gone"
"""Outcome of a request whose caller hung up before it was answered."""
BUG = Reason.INTERNAL_ERROR.value
"""Outcome of a request that ended with an unexpected exception, which is a bug of the service."""


def outcome_of(error: HisegError | str | None) -> str:
    """The value of the label ``outcome`` for a request.

    Args:
        error: what the request failed with, or the outcome in one word if it is none that callers see; None: it was
            answered.

    Returns:
        ``ok``, the error's reason, ``gone`` or ``superseded``.
    """
    return "ok" if error is None else error if isinstance(error, str) else error.reason.value


class Metrics:
    """All metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._endpoints: dict[str, EndpointReports] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=tuple(buckets), registry=self.registry)

        self._requests = counter(
            "hiseg_requests", "Segmentation requests and stream frames that have ended", "transport", "outcome"
        )
        self._duration = histogram(
            "hiseg_request_seconds",
            "Seconds from the arrival of a request to its end",
            SECONDS,
            "transport",
            "outcome",
            "variant",
        )
        self._rejected = counter(
            "hiseg_rejected", "Requests refused because of load or of the state of the service", "reason"
        )
        self._unauthorized = counter("hiseg_unauthorized", "Requests without a valid API key", "transport")
        self._bugs = Counter(
            "hiseg_bugs", "Requests that ended with an unexpected exception (HTTP 500)", registry=self.registry
        )
        self._refused_connections = counter(
            "hiseg_http_connections_refused",
            "HTTP connections and requests that were refused or cut off before the service saw a request",
            "reason",
        )
        # Created at the start: Prometheus sees no increase of a counter whose first sample is 1.
        for transport in ("http", "grpc"):
            self._unauthorized.labels(transport)
        for reason in (Reason.WAIT_TOO_LONG, Reason.WAIT_PAST_DEADLINE, Reason.MEMORY_IN_USE):
            self._rejected.labels(reason.value)
        ProcessCollector(registry=self.registry)
        self._stages = histogram("hiseg_stage_seconds", "Seconds that a stage of a request took", SECONDS, "stage")
        self._instances = counter("hiseg_instances", "Masks of people that were made")
        self._failures = counter("hiseg_batch_failures", "Batches that the engine failed to run", "model")
        self._dropped = counter(
            "hiseg_jobs_dropped", "Jobs that left the queue before they reached the engine", "model", "reason"
        )
        self._reloads = counter(
            "hiseg_model_reloads",
            "New model versions found at run time, used or refused",
            "model",
            "outcome",
        )
        self._images = histogram("hiseg_batch_images", "Number of images in a batch", COUNTS, "model")
        self._rois = histogram("hiseg_batch_rois", "Number of boxes in a batch", COUNTS, "model")
        self._predicted = histogram(
            "hiseg_batch_predicted_seconds", "Engine seconds that were predicted for a batch", SECONDS, "model"
        )
        self._real = histogram("hiseg_batch_seconds", "Engine seconds that a batch took", SECONDS, "model")
        self._streams = Gauge("hiseg_grpc_streams", "gRPC streams that are open", registry=self.registry)
        self._busy = counter(
            "hiseg_engine_busy_seconds", "Seconds that an engine worked; the rate is its utilisation, 0 to 1", "model"
        )

    def count_request(
        self, transport: str, variant: str, seconds: float, error: HisegError | str | None = None
    ) -> None:
        """Count one request or stream frame when it has ended, however it ended.

        Args:
            transport: "http", "kserve", "label_studio", "grpc" or, for a frame of a stream, "grpc_stream".
            variant: the requested variant if it is served, else "".
            seconds: seconds from the request's arrival to its end.
            error: see :func:`outcome_of`.
        """
        outcome = outcome_of(error)
        self._requests.labels(transport, outcome).inc()
        self._duration.labels(transport, outcome, variant).observe(seconds)
        if error == BUG:
            self._bugs.inc()
        if isinstance(error, Overloaded | Unavailable):
            self._rejected.labels(error.reason.value).inc()

    def count_bug(self) -> None:
        """Count an unexpected exception outside of a request that :meth:`count_request` counts."""
        self._bugs.inc()

    def count_unauthorized(self, transport: str) -> None:
        """Count a request over "http" or "grpc" that was refused because it has no valid API key."""
        self._unauthorized.labels(transport).inc()

    def count_refused_connection(self, reason: str) -> None:
        """Count an HTTP connection, or a request on one, that was refused or cut off for a reason, in one word."""
        self._refused_connections.labels(reason).inc()

    def observe_stages(self, timings_ms: Mapping[str, float], instances: int) -> None:
        """Record the milliseconds of each stage of an answered request, and how many masks it got."""
        for stage, milliseconds in timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        self._instances.inc(instances)

    def count_reload(self, model: str, outcome: Literal["used", "refused"]) -> None:
        """Count a new version of a model that was found while the service runs."""
        self._reloads.labels(model, outcome).inc()

    @contextmanager
    def track_stream(self) -> Iterator[None]:
        """Count a gRPC stream as open during the block."""
        with self._streams.track_inprogress():
            yield

    def register_service(self, report: Callable[[], ServiceReport]) -> None:
        """Expose the gauges of the service; ``report`` is called at each scrape."""
        self.registry.register(_ServiceGauges(report))

    def register_certificates(self, expiry: Callable[[], Mapping[str, float]]) -> None:
        """Expose when the certificate of each transport expires, in seconds since 1970; called at each scrape."""
        self.registry.register(_Certificates(expiry))

    def register_endpoints(self, model: str, reports: EndpointReports) -> None:
        """Expose gauges and counters of the servers that run a model; ``reports`` is called at each scrape."""
        if not self._endpoints:
            self.registry.register(_Endpoints(self._endpoints))
        self._endpoints[model] = reports

    def exposition(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self.registry)

    def for_model(self, model: str) -> ModelMetrics:
        """The metrics that the batcher of a model reports to."""
        return ModelMetrics(self, model)


class ModelMetrics:
    """Metrics of one model's batches: a :class:`hiseg.batching.job.Watcher`."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        # The labelled metrics are looked up once: a batch in a fast engine takes a few milliseconds.
        self._images = metrics._images.labels(model)
        self._rois = metrics._rois.labels(model)
        self._predicted = metrics._predicted.labels(model)
        self._real = metrics._real.labels(model)
        self._busy = metrics._busy.labels(model)
        self._failures = metrics._failures.labels(model)
        self._dropped = {reason: metrics._dropped.labels(model, reason) for reason in DROP_REASONS}

    def on_batch(self, report: BatchReport) -> None:
        self._images.observe(report.images)
        self._rois.observe(report.rois)
        self._predicted.observe(report.predicted_ms / 1000)
        self._real.observe(report.real_ms / 1000)
        self._busy.inc(report.real_ms / 1000)

    def on_failure(self) -> None:
        self._failures.inc()

    def on_drop(self, reason: DropReason) -> None:
        self._dropped[reason].inc()


class _ServiceGauges(Collector):
    """Gauges of the service and of its models' queues, read at each scrape."""

    def __init__(self, report: Callable[[], ServiceReport]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        service = self._report()
        yield GaugeMetricFamily("hiseg_ready", "1 if requests are accepted, as /readyz says", service.ready)
        yield GaugeMetricFamily("hiseg_requests_in_progress", "Requests being worked on", service.requests)
        yield GaugeMetricFamily("hiseg_held_bytes", "Bytes of memory that those requests hold", service.held_bytes)
        jobs = GaugeMetricFamily("hiseg_queue_jobs", "Jobs that wait for the engine", labels=["model"])
        age = GaugeMetricFamily("hiseg_queue_age_seconds", "Seconds that the oldest has waited", labels=["model"])
        predicted = GaugeMetricFamily(
            "hiseg_queue_predicted_seconds", "Predicted engine seconds of all waiting jobs", labels=["model"]
        )
        labels = ["model", "version", "variant", "engine", "precision"]
        info = GaugeMetricFamily("hiseg_model_info", "Models served, and their engine; always 1", labels=labels)
        for model in service.models:
            jobs.add_metric([model.name], model.queued_jobs)
            age.add_metric([model.name], model.oldest_job_s)
            predicted.add_metric([model.name], model.queued_ms / 1000)
            info.add_metric([model.name, model.version, model.variant, model.engine, model.precision], 1)
        yield from (jobs, age, predicted, info)


class _Certificates(Collector):
    """When the certificate of each transport expires."""

    def __init__(self, expiry: Callable[[], Mapping[str, float]]) -> None:
        self._expiry = expiry

    def collect(self) -> Iterable[Metric]:
        text = "When the certificate expires, in seconds since 1970"
        found = GaugeMetricFamily("hiseg_certificate_expiry_timestamp_seconds", text, labels=["transport"])
        for transport, seconds in self._expiry().items():
            found.add_metric([transport], seconds)
        yield found


class _Endpoints(Collector):
    """Gauges and counters of each model's servers. The counts are the servers' own: a server that leaves takes its
    labels with it."""

    def __init__(self, models: Mapping[str, EndpointReports]) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        labels = ["model", "endpoint"]
        state = GaugeMetricFamily("hiseg_triton_state", "1 for the state a server is in", labels=[*labels, "state"])
        batches = CounterMetricFamily("hiseg_triton_batches", "Batches that a server ran", labels=labels)
        failures = CounterMetricFamily("hiseg_triton_failures", "Batches that failed on a server", labels=labels)
        retries = CounterMetricFamily(
            "hiseg_triton_retries", "Failed batches that were run again on another server", labels=labels
        )
        in_flight = GaugeMetricFamily("hiseg_triton_in_flight", "Batches that a server is running", labels=labels)
        outstanding = GaugeMetricFamily(
            "hiseg_triton_outstanding_seconds",
            "Predicted seconds of the batches that are running",
            labels=labels,
        )
        for model, report in ((model, report) for model, reports in self._models.items() for report in reports()):
            values = [model, report.address]
            for each in EndpointState:
                state.add_metric([*values, each], report.state == each)
            batches.add_metric(values, report.batches)
            failures.add_metric(values, report.failures)
            retries.add_metric(values, report.retries)
            in_flight.add_metric(values, report.in_flight)
            outstanding.add_metric(values, report.outstanding_ms / 1000)
        yield from (state, batches, failures, retries, in_flight, outstanding)
