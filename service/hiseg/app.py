"""Puts the parts of the service together: engines, batchers, the segmenter, and HTTP and gRPC around it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import partial

from hiseg.access.key_store import KeyStore
from hiseg.batching.admission import State
from hiseg.core.certificate import Certificate, CertificateUnusable, check_authorities, watching
from hiseg.core.engine_settings import EMBEDDED, Fallback
from hiseg.core.errors import Unavailable
from hiseg.core.extras import needing
from hiseg.core.heap import keep_freed_memory, return_large_images, return_memory_when_idle
from hiseg.core.listening import ListenError, bracketed, listen
from hiseg.core.model_choice import shared_variants
from hiseg.lifecycle import READ_RESPONSE_SECONDS, ListenAddress, ShutdownTimes, log, run_until_stopped
from hiseg.models.loader import Loader, embedded_engines, loader_for
from hiseg.models.reload import hot_reloading
from hiseg.models.repository import find_repository, stored_models
from hiseg.models.running import image_thread_count, models_running, new_segmenter
from hiseg.models.self_test import warm_up
from hiseg.observability.announcement import Announcement
from hiseg.observability.logs import configure_logging
from hiseg.observability.metrics import Metrics
from hiseg.observability.reports import ModelReport, ServiceReport
from hiseg.observability.tracing import OFF, Tracing
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.server import Server
from hiseg.transports.http.app import create_http
from hiseg.transports.http.connection import Connection
from hiseg.transports.http.open_connections import OpenConnections


def create_tracing(settings: Settings) -> Tracing:
    """Create the tracing: OpenTelemetry if the setting ``tracing`` is on, else tracing that does nothing.

    Raises:
        ExtraMissing: the setting is on, and its packages aren't installed.
    """
    if not settings.tracing:
        return OFF
    with needing("tracing"):
        # Not at the top: OpenTelemetry is an optional extra.
        from hiseg.observability.otel import OtelTracing
    return OtelTracing()


def service_report(segmenter: Segmenter) -> ServiceReport:
    """Report the present state of the service, for the metrics."""
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
                precision=ref.precision,
                queued_jobs=batcher.waiting,
                oldest_job_s=batcher.oldest_wait_s(),
                queued_ms=batcher.wait_estimator.waiting_ms,
            )
        )
    return ServiceReport(ready, segmenter.admission.active_requests, _held_bytes(segmenter), models)


def _held_bytes(segmenter: Segmenter) -> int:
    """Bytes that requests and the work on them hold together."""
    return segmenter.admission.reserved_bytes + segmenter.workers.working_bytes


@asynccontextmanager
async def models_ready(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, load: Loader = embedded_engines
) -> AsyncIterator[None]:
    """Load, warm up and test the models, then accept requests and follow the repository until the end of the block.

    The arguments and further errors are those of :func:`models_running`.

    Raises:
        CanaryMismatch: a model doesn't give the masks that it was published with.
    """
    async with models_running(segmenter, settings, metrics, load) as models:
        for model in models:
            name = model.engine.info.ref.name
            with suppress(Unavailable):  # an engine that went away meanwhile is tested again when it is back
                await warm_up(segmenter.batchers[name])
            if model.canary:
                await model.canary.check(segmenter, name)
        for sentence in shared_variants(segmenter.mask_models):
            log.warning("%s", sentence)
        if segmenter.admission.state is State.STARTING:
            segmenter.admission.state = State.READY
        stored = [model.stored for model in models if model.stored]
        refused = [model.refused for model in models if model.refused]
        returning = asyncio.create_task(return_memory_when_idle(partial(_held_bytes, segmenter)))
        try:
            async with hot_reloading(segmenter, settings, metrics, stored, refused):
                yield
        finally:
            returning.cancel()


@asynccontextmanager
async def grpc_listening(
    segmenter: Segmenter,
    settings: Settings,
    metrics: Metrics,
    key_store: KeyStore,
    certificates: Mapping[str, Certificate] | None = None,
) -> AsyncIterator[str]:
    """Serve gRPC until the end of the block, which waits until calls have got their responses; gives its address.

    Meanwhile the files of keys and of both transports' certificates are read again when they change.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service.
        metrics: count the calls.
        key_store: says who may call.
        certificates: those of :func:`read_certificates`; None: gRPC's is read here, once.

    Raises:
        ListenError: the port is taken, or a TLS file can't be used.
    """
    server = Server(segmenter, settings, metrics, key_store)
    # gRPC's own server doesn't say why it can't listen, so it is found out before.
    for each in listen("gRPC", settings.host, settings.grpc_port, "grpc_port"):
        each.close()
    try:
        port = server.listen(settings.grpc_address, (certificates or {}).get("grpc"))
    except (RuntimeError, OSError, CertificateUnusable) as error:
        found = f"gRPC on {settings.grpc_address} can't be had: {error}"
        raise ListenError(found, "Look at grpc_port, and at the files of grpc_tls_…") from error
    await server.start()
    try:
        async with key_store.watching(), watching((certificates or {}).values()):
            yield f"{bracketed(settings.host)}:{port}"
    finally:
        await server.stop(READ_RESPONSE_SECONDS)


def read_certificates(settings: Settings) -> dict[str, Certificate]:
    """Read the certificates that the settings name, by transport: "http", "grpc"; those of clients' CAs are checked.

    Raises:
        ListenError: a file can't be used.
    """
    found = {}
    for transport, name, cert, key, authorities in (
        ("http", "HTTP", settings.http_tls_cert, settings.http_tls_key, settings.http_tls_client_ca),
        ("grpc", "gRPC", settings.grpc_tls_cert, settings.grpc_tls_key, settings.grpc_tls_client_ca),
    ):
        if cert and key:
            try:
                found[transport] = Certificate(name, cert, key)
            except CertificateUnusable as error:
                mend = f"Set {transport}_tls_cert and {transport}_tls_key to files in PEM that belong together."
                raise ListenError(f"{name} can't be had with TLS: {error}", mend) from error
        if authorities:
            try:
                check_authorities(authorities)
            except CertificateUnusable as error:
                mend = f"Set {transport}_tls_client_ca to the CA's certificate in PEM."
                raise ListenError(f"{name} can't be had with TLS: {error}", mend) from error
    return found


def announcement(segmenter: Segmenter, settings: Settings, port: int, grpc_port: int) -> Announcement:
    """Return what is said of a service that is ready.

    Args:
        segmenter: has the models.
        settings: settings of the service, with the folder of the models if they are loaded from one.
        port: of HTTP.
        grpc_port: of gRPC.
    """
    default = segmenter.choose_model(None, None, settings.default_variant)
    folder = str(settings.model_repository.absolute()) if settings.model_repository else "no folder"
    source = folder if settings.engine == EMBEDDED else settings.engine
    if settings.fallback is not Fallback.OFF:
        source += f", and {folder} while no Triton answers"
    return Announcement(
        host=settings.host,
        port=port,
        grpc_port=grpc_port,
        http_tls=settings.http_tls_cert is not None,
        grpc_tls=settings.grpc_tls_cert is not None,
        models=[info.ref for info in segmenter.models],
        default=default.ref,
        source=source,
    )


def serve(settings: Settings, load: Loader | None = None) -> None:
    """Serve HTTP and gRPC until SIGINT or SIGTERM, then finish the accepted requests; see :mod:`hiseg.lifecycle`.

    The service listens from the start, and answers 503 until the models are ready.

    Args:
        settings: settings of the service.
        load: loads the models; None: as the setting ``engine`` says.

    Raises:
        ExtraMissing: a setting needs packages that aren't installed.
        NoModels: the repository, from which the embedded engine is to load models, has none.
        KeysUnusable: the file of API keys can't be read.
        Exception: whatever :func:`models_ready` raises.
    """
    keep_freed_memory()
    return_large_images()
    configure_logging(settings.log_format)
    if load is None and settings.runs_embedded:
        repository = find_repository(settings.model_repository)
        stored_models(repository)  # before anybody could ask
        # From here on it is set: models that come into another place meanwhile don't take its place.
        settings = settings.model_copy(update={"model_repository": repository})
    key_store = KeyStore(settings.api_keys, settings.api_keys_file, settings.key_limits)
    certificates = read_certificates(settings)
    log.log(logging.INFO if key_store.opens else logging.WARNING, key_store.describe())
    with closing(create_tracing(settings)) as tracing, ExitStack() as stack:
        executor = ThreadPoolExecutor(image_thread_count(settings), thread_name_prefix="worker")
        # Its threads may hang: the process ends without them, at the drain limit.
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        segmenter, metrics = new_segmenter(settings, executor, tracing), Metrics()
        metrics.register_service(lambda: service_report(segmenter))
        metrics.register_certificates(lambda: {name: each.not_after for name, each in certificates.items()})
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
                certificates.get("http"),
            ),
            segmenter.admission,
            models_ready(segmenter, settings, metrics, load or loader_for(settings)),
            grpc_listening(segmenter, settings, metrics, key_store, certificates),
            ShutdownTimes(settings.shutdown_delay_seconds, settings.drain_seconds),
            settings.log_format,
            partial(
                Connection,
                open_connections=OpenConnections(settings.trusted_proxies, metrics.count_refused_connection),
            ),
            lambda port, grpc_port: announcement(segmenter, settings, port, grpc_port).write(settings.log_format),
        )
