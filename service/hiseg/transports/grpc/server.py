"""The gRPC server: segmentation, health and reflection, and how it treats connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection

from hiseg.access.key_store import KeyStore
from hiseg.core.certificate import Certificate
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.auth import AuthInterceptor
from hiseg.transports.grpc.health import HealthServicer
from hiseg.transports.grpc.servicer import SERVICE, SegmentationServicer

PONG_SECONDS = 10
"""Seconds after which a client that does not answer a ping is gone."""


def create_grpc(segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> grpc.aio.Server:
    """Make the server around a segmenter, on the event loop that it will run on, without starting it."""
    interceptors = [AuthInterceptor(key_store, metrics)] if key_store.is_needed else []
    server = grpc.aio.server(interceptors=interceptors, options=server_options(settings))
    servicer = SegmentationServicer(segmenter, settings, metrics, key_store)
    server.add_generic_rpc_handlers((servicer.handlers,))
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(segmenter), server)
    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server)
    return server


def add_port(server: grpc.aio.Server, address: str, settings: Settings, certificate: Certificate | None = None) -> int:
    """Let the server listen on an address, with TLS if the settings say so, and return the port.

    Args:
        server: the server.
        address: host and port.
        settings: settings of the service.
        certificate: the settings' certificate, whose renewals are used; None: it is read here, once.

    Raises:
        RuntimeError: the port is taken, or a certificate or key isn't one.
        OSError: the file of the clients' CA can't be read.
        CertificateUnusable: the files of the certificate can't be used.
    """
    secure = server_credentials(settings, certificate)
    return server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)


def server_credentials(settings: Settings, certificate: Certificate | None = None) -> grpc.ServerCredentials | None:
    """Read the files for TLS, and for mutual TLS if there is a CA of clients; None means a plain-text port.

    The arguments and errors are those of :func:`add_port`.
    """
    if settings.grpc_tls_cert is None or settings.grpc_tls_key is None:
        return None
    used = certificate or Certificate("gRPC", settings.grpc_tls_cert, settings.grpc_tls_key)
    roots = settings.grpc_tls_client_ca.read_bytes() if settings.grpc_tls_client_ca else None
    renewals = used.renewals

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([used.pair], roots)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC for each connection; None: the certificate is the same."""
        nonlocal renewals
        if renewals == used.renewals:
            return None
        renewals = used.renewals
        return configuration()

    # Its type doesn't say that there may be no other certificate; its documentation does.
    fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", renewed)
    return grpc.dynamic_ssl_server_credentials(configuration(), fetch, require_client_authentication=roots is not None)


def server_options(settings: Settings) -> list[tuple[str, int]]:
    """Return gRPC's own options for the server."""
    return [
        # gRPC itself refuses what is larger.
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_answer_bytes),
        # Else two services could be given the same port, and would share the calls.
        ("grpc.so_reuseport", 0),
        # A camera that has lost its power doesn't say goodbye.
        ("grpc.keepalive_time_ms", round(settings.grpc_keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", PONG_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(settings.grpc_min_ping_interval_seconds * 1000)),
        ("grpc.http2.max_ping_strikes", 2),
    ]
