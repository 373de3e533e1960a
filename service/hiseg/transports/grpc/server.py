"""The gRPC server: segmentation, health and reflection, and how it treats connections."""

from __future__ import annotations

import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection

from hiseg.access.key_store import KeyStore
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.auth import ApiKeys
from hiseg.transports.grpc.credentials import credentials
from hiseg.transports.grpc.health import Health
from hiseg.transports.grpc.servicer import SERVICE, SegmentationServicer

PONG_SECONDS = 10
"""A client that doesn't answer a ping for so long is gone."""


def create_grpc(segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> grpc.aio.Server:
    """The server around a segmenter, to be called on the loop that it shall run on; starts and stops nothing itself."""
    interceptors = [ApiKeys(key_store, metrics)] if key_store.is_needed else []
    server = grpc.aio.server(interceptors=interceptors, options=options(settings))
    servicer = SegmentationServicer(segmenter, settings, metrics, key_store)
    server.add_generic_rpc_handlers((servicer.handlers,))
    health_pb2_grpc.add_HealthServicer_to_server(Health(segmenter), server)
    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server)
    return server


def add_port(server: grpc.aio.Server, address: str, settings: Settings) -> int:
    """Let the server listen on an address, with TLS if the settings say so.

    Raises:
        RuntimeError: it can't be had, or a certificate or key isn't one.
        OSError: a file of the settings can't be read.
    """
    secure = credentials(settings)
    return server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)


def options(settings: Settings) -> list[tuple[str, int]]:
    """gRPC's own."""
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
