"""Counts the HTTP connections that are open, and decides which may be: descriptors are the first thing to run out.

One address has a share of them. Where that doesn't help, since the callers come through a proxy or from many addresses,
the connection that has waited longest for its caller gives way to a new one. So whoever opens a connection and sends a
request at once is answered, as health checks are, while somebody else holds all connections that he can get.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import chain
from typing import Protocol

from hiseg.access.quota import CLIENT_TO_FREE_RATIO, address_share
from hiseg.api.limits import max_connections

MAX_TURNED_AWAY = 32
"""Most connections, beyond the limit, that may still read that there are too many."""
SAY_SECONDS = 60
"""Shortest time between two lines in the log about what was refused."""
log = logging.getLogger(__name__)


class Evictable(Protocol):
    """A connection as this module sees it."""

    def evict(self) -> None:
        """End it: another one takes its place."""


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address, as IPv4 where IPv6 only wraps it; None: it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class OpenConnections:
    """All HTTP connections of a service.

    A connection waits (nothing complete has come, or nothing more will be answered), receives (a request's head has
    come, but not all of its body), or is busy; and it stalls if its answer isn't read as fast as it is written. Those
    that wait, then those that receive, and then those that stall give way to new ones when there are too many.

    Args:
        proxies: addresses and networks that stand for many callers, and may open connections without a share; ``*``:
            all.
        count_refused: counts, by a word for the reason, each connection or request that was refused or ended.
        limit: most connections that are open at once; None: :func:`hiseg.api.limits.max_connections`.

    Attributes:
        handshakes: held by the TLS handshake that begins.
        turned_away: those that were refused with an answer, and have a little time to read it.
    """

    def __init__(
        self,
        proxies: Iterable[str] = (),
        count_refused: Callable[[str], None] = lambda _: None,
        limit: int | None = None,
    ) -> None:
        self.limit = max_connections() if limit is None else limit
        self._all_are_proxies = "*" in proxies
        self._proxies = [ip_network(each) for each in proxies if each != "*"]
        self._count_refused = count_refused
        self._shares: dict[Evictable, str] = {}
        self._open_of_share: Counter[str] = Counter()
        # Dictionaries since they keep the order of insertion: the first has been there for the longest time.
        self._waiting: dict[Evictable, None] = {}
        self._receiving: dict[Evictable, None] = {}
        self._stalling: dict[Evictable, None] = {}
        self._unsaid: Counter[str] = Counter()
        self._say_at = 0.0
        self.handshakes = asyncio.Lock()
        self.turned_away: set[Evictable] = set()

    def __len__(self) -> int:
        return len(self._shares)

    def add(self, connection: Evictable, address: str) -> bool:
        """Whether a new connection may stay; it waits then. Another one may have to give way to it."""
        share = self._share_of(address)
        if share and self._open_of_share[share] >= CLIENT_TO_FREE_RATIO * max(1, self.limit - len(self)):
            self.refused("address")
            return False
        if len(self) >= self.limit:
            self.refused("connections")
            victim = next(chain(self._waiting, self._receiving, self._stalling), None)
            if victim is None:
                return False
            self.remove(victim)
            victim.evict()
        self._shares[connection] = share
        self._open_of_share[share] += 1
        self._waiting[connection] = None
        return True

    def remove(self, connection: Evictable) -> None:
        """A connection has ended; a second call does nothing."""
        share = self._shares.pop(connection, None)
        if share is None:
            return
        for state in (self._waiting, self._receiving, self._stalling):
            state.pop(connection, None)
        self._open_of_share[share] -= 1
        if not self._open_of_share[share]:
            del self._open_of_share[share]

    def turn_away(self, connection: Evictable) -> bool:
        """Whether a connection that was refused may stay until it has read so."""
        if len(self.turned_away) >= MAX_TURNED_AWAY:
            return False
        self.turned_away.add(connection)
        return True

    def receive(self, connection: Evictable) -> None:
        """A connection receives a body now."""
        if self._waiting.pop(connection, self) is None:
            self._receiving[connection] = None

    def work(self, connection: Evictable) -> None:
        """All of a request has come, and it isn't answered yet."""
        self._receiving.pop(connection, None)

    def wait(self, connection: Evictable) -> None:
        """A request was answered, and the connection waits for the next."""
        self._receiving.pop(connection, None)
        if connection in self._shares:
            self._waiting[connection] = None

    def stall(self, connection: Evictable) -> None:
        """Much of an answer waits for its caller now."""
        if connection in self._shares:
            self._stalling[connection] = None

    def flow(self, connection: Evictable) -> None:
        """The answer is being read."""
        self._stalling.pop(connection, None)

    def refused(self, reason: str) -> None:
        """Count what was refused, and say so in the log, but not for each of many."""
        self._count_refused(reason)
        self._unsaid[reason] += 1
        if time.monotonic() >= self._say_at:
            self._say_at = time.monotonic() + SAY_SECONDS
            text = ", ".join(f"{reason} {count}" for reason, count in self._unsaid.items())
            log.warning("HTTP connections and requests that were refused or cut off, by what was wrong: %s", text)
            self._unsaid.clear()

    def _share_of(self, address: str) -> str:
        """Whose share a connection counts in; empty: nobody's."""
        parsed = parse_address(address)
        if self._all_are_proxies or parsed is None or any(parsed in network for network in self._proxies):
            return ""
        return address_share(address)
