"""gRPC's standard health service, which says what ``/readyz`` says: whether requests should be sent here.

Its messages and its table of methods come from ``grpc_health``. The servicer of that package does not fit: it does not
answer ``List``, and its watchers stay until the server's grace period is over, which would delay every shutdown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from hiseg.batching.admission import State
from hiseg.core.errors import Unavailable, shorten
from hiseg.segmenter import Segmenter
from hiseg.transports.grpc.servicer import SERVICE

SERVICES = ("", SERVICE)
"""Names whose health can be asked for: the server as a whole, and its service, which are always equally healthy."""
Context = ServicerContext[Any, Any]


class HealthServicer:
    """Answers with the segmenter's state at that moment, and wakes watchers whenever it changes.

    Its methods are those that ``health_pb2_grpc.add_HealthServicer_to_server`` registers.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._changed = asyncio.Event()
        segmenter.subscribe(self._wake_watchers)

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:  # noqa: N802
        """Return the status now; NOT_FOUND for a service that is not there."""
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {shorten(request.service)!r}")
        return HealthCheckResponse(status=self._status(request.service))

    async def List(self, request: HealthListRequest, context: Context) -> HealthListResponse:  # noqa: N802
        """Return the status of every service now."""
        return HealthListResponse(
            statuses={service: HealthCheckResponse(status=self._status(service)) for service in SERVICES}
        )

    async def Watch(  # noqa: N802
        self, request: HealthCheckRequest, context: Context
    ) -> AsyncIterator[HealthCheckResponse]:
        """Send the status now and after each change, until the service drains: watchers must not delay its end."""
        sent = None
        while True:
            changed = self._changed
            draining = self._segmenter.admission.state is State.DRAINING
            status = self._status(request.service)
            if status != sent:
                sent = status
                yield HealthCheckResponse(status=status)
            if draining:
                return
            await changed.wait()

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus:
        if service not in SERVICES:
            return HealthCheckResponse.SERVICE_UNKNOWN
        try:
            self._segmenter.check_ready()
        except Unavailable:
            return HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse.SERVING

    def _wake_watchers(self) -> None:
        """Wake who waits for this change; who comes from now on waits for the next one."""
        self._changed.set()
        self._changed = asyncio.Event()
