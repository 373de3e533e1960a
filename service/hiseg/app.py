"""Puts the parts together: engines, batchers, the segmenter, HTTP and gRPC around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress

import numpy as np

from hiseg.access.key_store import KeyStore
from hiseg.batching.admission import Admission, State
from hiseg.batching.batcher import Batcher
from hiseg.core.errors import Unavailable
from hiseg.engines.cores import available_cores
from hiseg.images.encoded import ImageLimits
from hiseg.lifecycle import LAST_BYTES_SECONDS, ListenAddress, ListenError, log, run_until_stopped
from hiseg.models.loader import ExtraMissing, Loaded, Loader, embedded_engines, engines_of
from hiseg.models.reload import rolling
from hiseg.models.self_test import warm_up
from hiseg.observability.metrics import Metrics
from hiseg.observability.reports import ModelReport, ServiceReport
from hiseg.observability.tracing import OFF, Tracing
from hiseg.segmenter import Segmenter
from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc.server import add_port, create_grpc
from hiseg.transports.http.app import create_http


def tracing_of(settings: Settings) -> Tracing:
    """Who takes the spans.

    Raises:
        ExtraMissing: the setting ``tracing`` is on, and its packages aren't installed.
    """
    if not settings.tracing:
        return OFF
    try:
        # Not at the top: OpenTelemetry is an optional extra.
        from hiseg.observability.otel import OtelTracing
    except ModuleNotFoundError as error:
        raise ExtraMissing("tracing needs more packages: pip install 'hiseg[tracing]'") from error
    return OtelTracing()


def new_segmenter(settings: Settings, workers: ThreadPoolExecutor, tracing: Tracing = OFF) -> Segmenter:
    """A segmenter that has no models yet and takes no requests."""
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
    return Segmenter(workers, limits, Admission(settings.max_held_bytes), tracing)


def service_report(segmenter: Segmenter) -> ServiceReport:
    """The present state of the service, for the metrics."""
    try:
        segmenter.check_ready()
        ready = True
    except Unavailable:
        ready = False
    models = []
    for name, batcher in segmenter.batchers.items():
        ref = batcher.engine.info.ref
        models.append(
            ModelReport(
                name=name,
                version=ref.version,
                variant=ref.variant,
                engine=ref.engine,
                queued_jobs=batcher.waiting,
                oldest_job_s=batcher.oldest_wait_s(),
                queued_ms=batcher.wait_estimator.waiting_ms,
            )
        )
    return ServiceReport(ready, segmenter.admission.active_requests, segmenter.admission.reserved_bytes, models)


def _keep_freed_memory() -> None:
    """Else glibc gives the memory of each small picture back to the kernel, and waits for it page by page at the next.

    It keeps as much as twice the largest block that was ever given back, so one is, which costs nothing.
    """
    np.empty(16 * MEBI, dtype=np.uint8)


@asynccontextmanager
async def models_running(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, load: Loader = embedded_engines
) -> AsyncIterator[Sequence[Loaded]]:
    """Load the models and run a batcher for each until the end of the block.

    Raises:
        InvalidRequest: the default variant isn't among the models.
        Exception: what ``load`` raises.
    """
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(load(settings, metrics))
        for model in models:
            name = model.engine.info.ref.name
            batcher = Batcher(
                model.engine, segmenter.workers, metrics.watcher(name), settings.batches, tracing=segmenter.tracing
            )
            segmenter.batchers[name] = await stack.enter_async_context(batcher.running())
        segmenter.model_for(settings.default_variant)
        yield models


@asynccontextmanager
async def models_ready(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, load: Loader = embedded_engines
) -> AsyncIterator[None]:
    """The same, warmed up and tried; then requests are taken, and versions that are published take over.

    Raises:
        CanaryDied: a model doesn't give the masks that it was published with.
    """
    async with models_running(segmenter, settings, metrics, load) as models:
        for model in models:
            name = model.engine.info.ref.name
            with suppress(Unavailable):  # an engine that went away meanwhile is tried again when it is back
                await warm_up(segmenter.batchers[name])
            if model.canary:
                await model.canary.check(segmenter, name)
        if segmenter.admission.state is State.STARTING:
            segmenter.admission.state = State.READY
        stored = [model.stored for model in models if model.stored]
        async with rolling(segmenter, settings, metrics, stored):
            yield


@asynccontextmanager
async def grpc_listening(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore
) -> AsyncIterator[None]:
    """gRPC on its port until the end of the block, which waits for calls to get their answers.

    Raises:
        ListenError: the port is taken, or a file for TLS isn't usable.
    """
    server = create_grpc(segmenter, settings, metrics, key_store)
    address = f"{settings.host}:{settings.grpc_port}"
    try:
        port = add_port(server, address, settings)
    except (RuntimeError, OSError) as error:
        raise ListenError(f"cannot listen for gRPC on {address}: {error}") from error
    await server.start()
    log.info("gRPC running on %s:%d", settings.host, port)
    try:
        yield
    finally:
        await server.stop(LAST_BYTES_SECONDS)


def serve(settings: Settings, load: Loader | None = None) -> None:
    """Answer HTTP and gRPC until SIGINT or SIGTERM, then finish what was accepted; see :mod:`hiseg.lifecycle`.

    It listens from the start, and answers 503 until the models are ready.

    Args:
        settings: every knob.
        load: where engines come from; the setting ``engine`` says it if this is left out.

    Raises:
        ExtraMissing: a setting needs packages that aren't installed.
        KeysUnusable: the file of API keys can't be read.
        Exception: what :func:`models_ready` raises.
    """
    _keep_freed_memory()
    key_store = KeyStore(settings.api_keys, settings.api_keys_file, settings.key_limits)
    with (
        closing(tracing_of(settings)) as tracing,
        ThreadPoolExecutor(settings.workers or available_cores(), thread_name_prefix="worker") as workers,
    ):
        segmenter, metrics = new_segmenter(settings, workers, tracing), Metrics()
        metrics.register_service(lambda: service_report(segmenter))
        app = create_http(segmenter, settings, metrics, key_store)
        run_until_stopped(
            app,
            ListenAddress(
                settings.host,
                settings.port,
                settings.http_tls_cert,
                settings.http_tls_key,
                settings.http_tls_client_ca,
                settings.trusted_proxies,
            ),
            segmenter.admission,
            models_ready(segmenter, settings, metrics, load or engines_of(settings)),
            grpc_listening(segmenter, settings, metrics, key_store),
            settings.leave_seconds,
            settings.drain_seconds,
            settings.log_format,
        )
