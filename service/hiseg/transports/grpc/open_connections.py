"""Holds each address to a share of the connections: gRPC limits their number in all, but not who has them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from hiseg.access.quota import CLIENT_TO_FREE_RATIO, address_share
from hiseg.api.limits import max_grpc_connections
from hiseg.transports.grpc.auth import TrustedProxies
from hiseg.transports.grpc.sockets import Endpoint, Sockets

LOOK_S = 1.0


class OpenConnections:
    """Looks at the open connections from time to time, and closes the newest of an address that has too many.

    An address may have :data:`CLIENT_TO_FREE_RATIO` times what stays free. Trusted proxies stand for many callers, and
    have no share.

    Args:
        sockets: those of the server.
        proxies: addresses and networks of the trusted proxies.
        limit: most connections in all; None: :func:`max_grpc_connections`.
    """

    def __init__(self, sockets: Sockets, proxies: Sequence[str], limit: int | None = None) -> None:
        self._sockets = sockets
        self._proxies = TrustedProxies(proxies)
        self._limit = max_grpc_connections() if limit is None else limit
        self._known: dict[Endpoint, None] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at the connections."""
        self._task = asyncio.get_running_loop().create_task(self._look_again())

    def stop(self) -> None:
        """Look no more."""
        if self._task:
            self._task.cancel()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Close what is beyond the shares."""
        found = dict.fromkeys(self._sockets.scan())
        self._known = {each: None for each in self._known if each in found} | found  # oldest first
        of_share: defaultdict[str, list[Endpoint]] = defaultdict(list)
        for endpoint in self._known:
            if not self._proxies.is_trusted(endpoint[0]):
                of_share[address_share(endpoint[0])].append(endpoint)
        for endpoints in of_share.values():
            while len(endpoints) > CLIENT_TO_FREE_RATIO * max(1, self._limit - len(self._known)):
                newest = endpoints.pop()
                del self._known[newest]
                self._sockets.shut_down(newest)
