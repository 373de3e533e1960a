"""Refuses calls that need an API key and have none, before anything of them is read.

Health checks need no key: those who ask are machines, and learn nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServerInterceptor, ServicerContext
from grpc_health.v1.health import SERVICE_NAME as HEALTH

from hiseg.access.key_store import KEY_NEEDED, KeyStore
from hiseg.access.quota import ClientQuota
from hiseg.core.errors import Unauthorized
from hiseg.observability.metrics import Metrics
from hiseg.transports.grpc.status import refusal

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Metadata: TypeAlias = Iterable[tuple[str, str | bytes]] | None


class ApiKeys(ServerInterceptor):
    """Stands before every call.

    Args:
        ring: the keys.
        metrics: who counts those that are refused.
    """

    def __init__(self, key_store: KeyStore, metrics: Metrics) -> None:
        self._ring = key_store
        self._metrics = metrics
        self._refused: Handler = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The call's own handler, or one that refuses it, whatever its kind."""
        if not handler_call_details.method.startswith(f"/{HEALTH}/"):
            try:
                caller_of(self._ring, handler_call_details.invocation_metadata)
            except Unauthorized:
                self._metrics.count_unauthorized("grpc")
                return self._refused
        return await continuation(handler_call_details)


def caller_of(key_store: KeyStore, metadata: Metadata) -> ClientQuota:
    """Who calls.

    Raises:
        Unauthorized: nobody that is known.
    """
    return key_store.caller((name, value) for name, value in metadata or () if isinstance(value, str))


async def refuse(_: object, context: ServicerContext[Any, Any]) -> None:
    """End any call."""
    await context.abort(*refusal(Unauthorized(KEY_NEEDED)))
