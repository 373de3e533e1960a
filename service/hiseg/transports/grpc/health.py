"""gRPC's standard health service, which says what ``/readyz`` says: whether requests should be sent here.

Its messages come from ``grpc_health``. The servicer of that package does not fit: it does not answer ``List``, and its
watchers stay until the server's grace period is over, which would delay every shutdown.
"""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListResponse,
)

from hiseg.batching.admission import State
from hiseg.core.errors import Unavailable, shorten
from hiseg.segmenter import Segmenter
from hiseg.transports.grpc.call import Call, Context
from hiseg.transports.grpc.requests import parse
from hiseg.transports.grpc.servicer import SERVICE
from hiseg.transports.grpc.small_calls import SmallCalls
from hiseg.transports.grpc.status import not_found

SERVICES = ("", SERVICE)
"""Names whose health can be asked for: the server as a whole, and its service, which are always equally healthy."""


class HealthServicer:
    """Answers with the segmenter's state at that moment, and wakes watchers whenever it changes.

    Args:
        segmenter: its state is the answer.
        calls: opens the calls.
    """

    def __init__(self, segmenter: Segmenter, calls: SmallCalls) -> None:
        self._segmenter = segmenter
        self._calls = calls
        self._changed = asyncio.Event()
        segmenter.subscribe(self._wake_watchers)

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """The handlers of the calls, to be registered with a server; see :class:`SmallCalls`."""
        methods = {"Check": self._check, "List": self._list, "Watch": self._watch}
        return grpc.method_handlers_generic_handler(
            HEALTH, {name: self._calls.handler(method) for name, method in methods.items()}
        )

    async def _check(self, call: Call, context: Context) -> None:
        """Send the status now; NOT_FOUND for a service that is not there."""
        request = parse(HealthCheckRequest, await call.read_only(), 0)
        if request.service not in SERVICES:
            await context.abort(*not_found(f"there is no service {shorten(request.service)!r}"))
        await self._calls.write(call, HealthCheckResponse(status=self._status(request.service)))

    async def _list(self, call: Call, _: Context) -> None:
        """Send the status of every service now."""
        await call.read_only()
        statuses = {service: HealthCheckResponse(status=self._status(service)) for service in SERVICES}
        await self._calls.write(call, HealthListResponse(statuses=statuses))

    async def _watch(self, call: Call, _: Context) -> None:
        """Send the status now and after each change, until the service drains: watchers must not delay its end."""
        service = shorten(parse(HealthCheckRequest, await call.read_only(), 0).service)
        sent = None
        while True:
            changed = self._changed
            draining = self._segmenter.admission.state is State.DRAINING
            status = self._status(service)
            if status != sent:
                sent = status
                await self._calls.write(call, HealthCheckResponse(status=status))
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
