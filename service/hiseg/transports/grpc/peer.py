"""Who calls, by the name that HTTP has for them: the address, or what a proxy that is trusted says.

Over HTTP Uvicorn does this. Without it all callers behind a load balancer would be one, with one turn at the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import unquote

FORWARDED = "x-forwarded-for"
ALL = "*"


class TrustedProxies:
    """Those that may say for whom they call.

    Args:
        trusted: addresses and networks, or ``*`` for all.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._all = ALL in trusted
        self._networks = [ip_network(each) for each in trusted if each != ALL]

    def caller(self, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """The nearest address that is none of theirs.

        Args:
            peer: as gRPC names who is connected.
            metadata: the call's.
        """
        near = address(peer)
        if not self._trusts(near):
            return near
        told = ",".join(str(value) for key, value in metadata if key == FORWARDED)
        hops = [hop.strip() for hop in told.split(",") if hop.strip()]
        if self._all:
            return hops[0] if hops else near
        return next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0] if hops else near)

    def _trusts(self, host: str) -> bool:
        if self._all:
            return True
        try:
            found = ip_address(host)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def address(peer: str) -> str:
    """``ipv4:127.0.0.1:99`` -> ``127.0.0.1``; what is no address, like ``unix:``, stays as it is."""
    kind, _, rest = peer.partition(":")
    return unquote(rest).rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else peer
