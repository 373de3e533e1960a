"""Who calls: the client of the call's API key, and the address it comes from.

Calls that need an API key and have none are refused before anything of them is read. Health checks need no key: those
who ask are machines, and learn nothing.

Addresses are found as Uvicorn finds them for HTTP: behind a trusted proxy the one that the proxy names. Otherwise all
callers behind a load balancer would be one client, with one share of the engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias
from urllib.parse import unquote

import grpc
from grpc.aio import ServerInterceptor, ServicerContext
from grpc_health.v1.health import SERVICE_NAME as HEALTH

from hiseg.access.key_store import KEY_NEEDED, KeyStore
from hiseg.access.quota import ClientQuota
from hiseg.core.errors import Unauthorized
from hiseg.observability.metrics import Metrics
from hiseg.transports.grpc.status import refusal

FORWARDED = "x-forwarded-for"
ALL = "*"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Metadata: TypeAlias = Iterable[tuple[str, str | bytes]] | None


class AuthInterceptor(ServerInterceptor):
    """Looks for a known API key in the metadata of every call.

    Args:
        key_store: the known keys.
        metrics: counts the calls that are refused.
    """

    def __init__(self, key_store: KeyStore, metrics: Metrics) -> None:
        self._key_store = key_store
        self._metrics = metrics
        self._refusing: Handler = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the call's own handler, or one that refuses a call of any kind."""
        if not handler_call_details.method.startswith(f"/{HEALTH}/"):
            try:
                authenticate(self._key_store, handler_call_details.invocation_metadata)
            except Unauthorized:
                self._metrics.count_unauthorized("grpc")
                return self._refusing
        return await continuation(handler_call_details)


def authenticate(key_store: KeyStore, metadata: Metadata) -> ClientQuota:
    """Return the client of the key in a call's metadata.

    Raises:
        Unauthorized: a key is needed, and the metadata has no known one.
    """
    return key_store.authenticate((name, value) for name, value in metadata or () if isinstance(value, str))


async def refuse(_: object, context: ServicerContext[Any, Any]) -> None:
    """End a call of any kind as unauthenticated."""
    await context.abort(*refusal(Unauthorized(KEY_NEEDED)))


class TrustedProxies:
    """Proxies whose ``x-forwarded-for`` is believed.

    Args:
        trusted: addresses and networks, or ``*`` for all.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._all = ALL in trusted
        self._networks = [ip_network(each) for each in trusted if each != ALL]

    def client_address(self, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Return the address of the caller: the nearest one that is no trusted proxy.

        Args:
            peer: the other end of the connection, as gRPC names it.
            metadata: the call's metadata.
        """
        connected = peer_address(peer)
        if not self.is_trusted(connected):
            return connected
        forwarded = ",".join(str(value) for key, value in metadata if key == FORWARDED)
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        if self._all:
            return hops[0] if hops else connected
        return next((hop for hop in reversed(hops) if not self.is_trusted(hop)), hops[0] if hops else connected)

    def is_trusted(self, host: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        if self._all:
            return True
        try:
            found = ip_address(host)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def peer_address(peer: str) -> str:
    """Return the address in gRPC's name of a peer.

    ``ipv4:127.0.0.1:99`` gives ``127.0.0.1``; what is no IP address, such as ``unix:``, stays as it is.
    """
    kind, _, rest = peer.partition(":")
    return unquote(rest).rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else peer
