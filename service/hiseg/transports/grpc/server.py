"""The gRPC server: segmentation, health and reflection, and how it treats connections."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

import grpc
import grpc.aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH

from hiseg.access.key_store import KeyStore
from hiseg.api.limits import max_grpc_connections
from hiseg.core.certificate import Certificate
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.auth import AuthInterceptor, TrustedProxies
from hiseg.transports.grpc.call import Calls
from hiseg.transports.grpc.health import HealthServicer
from hiseg.transports.grpc.incoming import WINDOW_BYTES, Incoming
from hiseg.transports.grpc.open_connections import OpenConnections
from hiseg.transports.grpc.reflection import reflection_handlers
from hiseg.transports.grpc.servicer import SERVICE, SegmentationServicer
from hiseg.transports.grpc.small_calls import SmallCalls
from hiseg.transports.grpc.sockets import Sockets

PONG_SECONDS = 10
"""Seconds after which a client that does not answer a ping is gone."""
MAX_PENDING_CALLS = 16384
"""Most calls that gRPC keeps until the service looks at them."""
CALLS_BESIDE_STREAMS = 128
"""Calls that a connection may have at once besides as many streams as the service takes; more wait in the client.

Even to refuse a call takes 0.2 ms of the event loop, so a burst of them must not come all at once.
"""
HANDSHAKE_SECONDS = 10
"""Longest time that TLS and HTTP/2 may take to begin."""
IDLE_CONNECTION_SECONDS = 40
"""Time after which a connection without calls is closed; clients open it again by themselves."""


def is_of_us(record: logging.LogRecord) -> bool:
    """Whether a line of gRPC's log says more than that a caller hung up while its answer was sent."""
    return not record.getMessage().startswith("ExecuteBatchError raised in core by servicer method")


class Server:
    """The server around a segmenter, for the event loop that it is made on.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service.
        metrics: count the calls.
        key_store: says who may call.
    """

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> None:
        logging.getLogger("grpc._cython.cygrpc").addFilter(is_of_us)
        self._settings = settings
        self._sockets = Sockets()
        self._connections = OpenConnections(self._sockets, settings.trusted_proxies)
        message_s, max_bytes = settings.body_timeout_seconds, settings.max_message_bytes
        incoming = Incoming(segmenter.admission, self._sockets, max_bytes, message_s)
        proxies = TrustedProxies(settings.trusted_proxies)
        calls = Calls(incoming, self._sockets, proxies, segmenter.workers, max_bytes, message_s)
        small = SmallCalls(calls, proxies)
        interceptors = [AuthInterceptor(key_store, metrics)] if key_store.is_needed else []
        self._server = grpc.aio.server(interceptors=interceptors, options=server_options(settings))
        self._server.add_generic_rpc_handlers(
            (
                SegmentationServicer(segmenter, settings, metrics, key_store, calls).handlers,
                HealthServicer(segmenter, small).handlers,
                *reflection_handlers(small, (SERVICE, HEALTH)),
            )
        )

    def listen(self, address: str, certificate: Certificate | None = None) -> int:
        """Listen on an address, with TLS if the settings say so, and return the port.

        Args:
            address: host and port.
            certificate: the settings' certificate, whose renewals are used; None: it is read here, once.

        Raises:
            RuntimeError: the port is taken, or a certificate or key isn't one.
            OSError: the file of the clients' CA can't be read.
            CertificateUnusable: the files of the certificate can't be used.
        """
        secure = server_credentials(self._settings, certificate)
        server = self._server
        port = server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
        self._sockets.port = port
        return port

    async def start(self) -> None:
        """Begin to take calls."""
        await self._server.start()
        self._connections.start()

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and end those that have not ended after ``grace_s`` seconds."""
        self._connections.stop()
        await self._server.stop(grace_s)


def server_credentials(settings: Settings, certificate: Certificate | None = None) -> grpc.ServerCredentials | None:
    """Read the files for TLS, and for mutual TLS if there is a CA of clients; None means a plain-text port.

    The errors are those of :meth:`Server.listen`.
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
        # What isn't read stays with the caller, so that it need not be counted; messages are inflated where they are.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.per_message_decompression", 0),
        ("grpc.max_concurrent_streams", settings.grpc_max_streams + CALLS_BESIDE_STREAMS),
        ("grpc.http.overload_protection", 1),
        # From 1,000 calls that wait to be begun on, gRPC would drop calls at random, whoever makes them.
        ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_CALLS),
        ("grpc.max_allowed_incoming_connections", max_grpc_connections()),
        ("grpc.max_connection_idle_ms", IDLE_CONNECTION_SECONDS * 1000),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
        # Else two services could be given the same port, and would share the calls.
        ("grpc.so_reuseport", 0),
        # A camera that has lost its power doesn't say goodbye.
        ("grpc.keepalive_time_ms", round(settings.grpc_keepalive_seconds * 1000)),
        # The first is for a client whose machine is gone, the second, a minute else, for one that only doesn't answer.
        ("grpc.keepalive_timeout_ms", PONG_SECONDS * 1000),
        ("grpc.http2.ping_timeout_ms", PONG_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(settings.grpc_min_ping_interval_seconds * 1000)),
        ("grpc.http2.max_ping_strikes", 2),
    ]
