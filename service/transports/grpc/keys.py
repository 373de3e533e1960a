"""API keys: who has none of them gets UNAUTHENTICATED. Without any in the settings everybody may call.

The settings hold digests, so that who reads them can't call; they are compared in constant time, so that nobody can
guess one byte after the other. Health checks need no key: those who ask are machines, and learn nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServerInterceptor, ServicerContext
from grpc_health.v1.health import SERVICE_NAME as HEALTH

HEADERS = "x-api-key", "authorization"
BEARER = "bearer "
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class ApiKeys(ServerInterceptor):
    """Stands before every call.

    Args:
        digests: SHA-256 of each key, in hexadecimal.
    """

    def __init__(self, digests: Sequence[str]) -> None:
        self._digests = [digest.lower() for digest in digests]
        self._refused: Handler = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The call's own handler, or one that refuses it, whatever its kind, before anything of it is read."""
        if handler_call_details.method.startswith(f"/{HEALTH}/"):
            return await continuation(handler_call_details)
        if any(self._is_known(key) for key in keys(handler_call_details.invocation_metadata)):
            return await continuation(handler_call_details)
        return self._refused

    def _is_known(self, key: str) -> bool:
        digest = sha256(key.encode()).hexdigest()
        # With all of them, so that the time doesn't say which.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def keys(metadata: Sequence[tuple[str, str | bytes]] | None) -> list[str]:
    """What a call says its key is."""
    found = [(name, value) for name, value in metadata or () if name in HEADERS and isinstance(value, str)]
    return [
        value if name == "x-api-key" else value[len(BEARER) :].strip()
        for name, value in found
        if name == "x-api-key" or value.lower().startswith(BEARER)
    ]


async def refuse(_: object, context: ServicerContext[Any, Any]) -> None:
    """End any call."""
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "an API key is needed, in x-api-key or authorization: Bearer")
