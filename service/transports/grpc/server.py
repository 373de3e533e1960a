"""The gRPC server: segmentation and health."""

from __future__ import annotations

import grpc.aio

from service.segmenter import Segmenter
from service.settings import MEBI, Settings
from service.telemetry import Metrics
from service.transports.grpc.health import Health
from service.transports.grpc.servicer import SegmentationServicer


def create_grpc(segmenter: Segmenter, settings: Settings, metrics: Metrics) -> grpc.aio.Server:
    """The server around a segmenter, to be called on the loop that it shall run on; starts and stops nothing itself.

    Adding a port that is taken raises RuntimeError.
    """
    server = grpc.aio.server(
        options=[
            # An image of the largest size, and the rest of the request; gRPC itself refuses what is larger.
            ("grpc.max_receive_message_length", settings.max_image_bytes + MEBI),
            # Else two services could be given the same port, and would share the calls.
            ("grpc.so_reuseport", 0),
        ]
    )
    servicer, health = SegmentationServicer(segmenter, settings, metrics), Health(segmenter.admission)
    server.add_generic_rpc_handlers((servicer.handlers, health.handlers))
    return server
