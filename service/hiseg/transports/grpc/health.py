"""gRPC's standard health service, which says what ``/readyz`` says: whether requests are taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1.health import SERVICE_NAME
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from hiseg.batching.admission import State
from hiseg.core.errors import Unavailable
from hiseg.segmenter import Segmenter
from hiseg.transports.grpc.servicer import SERVICE

POLL_S = 0.25
"""So long after a change at most, watchers hear of it."""
SERVICES = ("", SERVICE)
"""Whose health can be asked for: the server's as a whole, and its service's, which is the same."""
Context = ServicerContext[Any, Any]


class Health:
    """Reads the state whenever it is asked."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        answer = HealthCheckResponse.SerializeToString
        question = HealthCheckRequest.FromString
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self.check, question, answer),
                "Watch": grpc.unary_stream_rpc_method_handler(self.watch, question, answer),
                "List": grpc.unary_unary_rpc_method_handler(
                    self.list, HealthListRequest.FromString, HealthListResponse.SerializeToString
                ),
            },
        )

    async def check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """The status now."""
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service[:80]!r}")
        return self._status(request.service)

    async def list(self, request: HealthListRequest, context: Context) -> HealthListResponse:
        """The status of every service now."""
        return HealthListResponse(statuses={service: self._status(service) for service in SERVICES})

    async def watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """The status now and after each change. It ends with the draining, which so doesn't wait for watchers."""
        told = None
        while True:
            last = self._segmenter.admission.state is State.DRAINING
            status = self._status(request.service)
            if status != told:
                told = status
                yield status
            if last:
                return
            await asyncio.sleep(POLL_S)

    def _status(self, service: str) -> HealthCheckResponse:
        if service not in SERVICES:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        try:
            self._segmenter.check_ready()
        except Unavailable:
            return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)
