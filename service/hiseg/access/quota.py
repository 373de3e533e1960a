"""Limits requests so that no caller takes everything: per API key a second and at once, and calls at once in all.

A caller is known by its key or, where no keys are needed, by its address. That is the identity for every share; how
many keys of one name, connections, calls or streams it uses makes no difference.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from hiseg.core.errors import Overloaded, Reason

ROUNDING = 1e-9
"""Tokens by which a bucket may fall short, so that rounding refuses nobody who waits exactly as long as told."""

CLIENT_TO_FREE_RATIO = 4
"""A client may have at most this many times the calls that could still be opened, so that one alone can fill four
fifths of them, and another one always finds some left."""
MIN_RATE = 0.001
"""Slowest rate that a limit may have, in requests a second: nobody is told to wait for longer than 1000 s."""
MAX_ADDRESS_CHARACTERS = 64
"""Most characters of an address that are looked at: a proxy may pass on whatever a caller wrote."""
IPV6_BITS = 128
IPV6_SHARE_BITS = 64
"""Leading bits of an IPv6 address by which a caller is known: whoever has one address of such a network has all."""


def address_share(address: str) -> str:
    """Return what a caller without a key is known by: the part of its address that it can't change at will.

    Args:
        address: network address of the caller, as a server or a proxy wrote it.

    Returns:
        An IPv4 address as it is, also if it was mapped to IPv6; the network of 64 bits that an IPv6 address is of; the
        beginning of anything else. A port is left out.
    """
    return _share(address[:MAX_ADDRESS_CHARACTERS])


@lru_cache(maxsize=4096)
def _share(text: str) -> str:
    host = text[1:].partition("]")[0] if text[:1] == "[" else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        found = ip_address(host)
    except ValueError:
        return text
    if not isinstance(found, IPv6Address):
        return host
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    rest = IPV6_BITS - IPV6_SHARE_BITS
    return f"{IPv6Address(int(found) >> rest << rest)}/{IPV6_SHARE_BITS}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests may come with one key; 0 means that there is no limit.

    Attributes:
        rate: requests, or frames of streams, a second on average; as many may come at once after a quiet second.
        concurrent: requests and streams at once.

    Raises:
        ValueError: a limit is negative or no finite number, or the rate is under :data:`MIN_RATE`.
    """

    rate: float = 0.0
    concurrent: int = 0

    def __post_init__(self) -> None:
        if self.rate != 0 and not MIN_RATE <= self.rate < math.inf:  # also true for NaN
            raise ValueError(f"the rate is {self.rate:g} requests a second; it is 0 or at least {MIN_RATE}")
        if self.concurrent < 0:
            raise ValueError(f"the limit of requests at once is {self.concurrent}; it is 0 or more")


class TokenBucket:
    """A rate limit that lets bursts of one second's worth through; the bucket is full at first.

    Args:
        rate: tokens that flow in each second, more than 0. The bucket holds as many, and at least one.
        now: the time in seconds, on the clock that :meth:`take` is called with.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.size = max(1.0, rate)
        self._tokens = self.size
        self._filled_at = now

    def take(self, now: float) -> float:
        """Take a token if there is one.

        Args:
            now: the time in seconds; a time before that of the last call counts as that time.

        Returns:
            0 if a token was taken, else the seconds until there will be one.
        """
        self._tokens = min(self.size, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = max(self._filled_at, now)
        if self._tokens >= 1 - ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate


class ClientQuota:
    """Counts the requests of one client, over HTTP and gRPC together, and holds its limits.

    Args:
        name: name of the client's key; empty if the service needs no keys.
        limits: of the client's requests.
        clock: the time in seconds, monotonic.
    """

    def __init__(
        self, name: str = "", limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.active = 0
        """Number of requests and streams that have begun and not ended."""
        self._clock = clock
        self._bucket = TokenBucket(self.limits.rate, clock()) if self.limits.rate else None

    def change_limits(self, limits: Limits) -> None:
        """Hold the client to other limits from now on; what is active goes on, and counts."""
        if limits.rate != self.limits.rate:
            self._bucket = TokenBucket(limits.rate, self._clock()) if limits.rate else None
        self.limits = limits

    def client_id(self, address: str) -> str:
        """Return what the client is known by wherever something is shared: its key's name, or without keys its address.

        Args:
            address: network address of the caller; see :func:`address_share`.
        """
        return f"key:{self.name}" if self.name else address_share(address)

    def take_token(self) -> None:
        """Take a token of the rate limit for one more request, or frame of a stream.

        Raises:
            Overloaded: requests come faster than the limit allows.
        """
        bucket = self._bucket
        if bucket and (wait := bucket.take(self._clock())):
            raise Overloaded(
                f"more than {self.limits.rate:g} requests a second came with the key {self.name!r}",
                reason=Reason.KEY_RATE,
                retry_after=math.ceil(wait),
                limit=self.limits.rate,
            )

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Admit a request or stream, and count it as active until the end of the block.

        Raises:
            Overloaded: as many are active already as the limit allows.
        """
        limit = self.limits.concurrent
        if limit and self.active >= limit:
            raise Overloaded(
                f"{self.active} requests are inside with the key {self.name!r}; at most {limit} are taken",
                reason=Reason.KEY_CONCURRENT,
                limit=limit,
                value=self.active + 1,
            )
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


class ConcurrencyLimit:
    """A limit of calls of one kind that may be open at once, in all and by one client.

    A client may have at most :data:`CLIENT_TO_FREE_RATIO` times the calls that could still be opened before its new
    one. gRPC's own limit can be exceeded, knows no clients, and refuses without a reason.

    Args:
        kind: what is counted, in a word for the text of errors, e.g. "calls".
        limit: how many may be open at once.
        reason: of the errors.
    """

    def __init__(self, kind: str, limit: int, reason: Reason = Reason.TOO_MANY_CALLS) -> None:
        self.kind = kind
        self._reason = reason
        self.limit = limit
        self.active = 0
        self._of_client: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def acquire(self, client: str) -> Iterator[None]:
        """Admit a call, and count it as open until the end of the block.

        Args:
            client: whose call it is; see :meth:`ClientQuota.client_id`.

        Raises:
            Overloaded: as many are open as the limit allows, or of this client more than its share.
        """
        self.enter(client)
        try:
            yield
        finally:
            self.leave(client)

    def enter(self, client: str) -> None:
        """Admit a call as :meth:`acquire` does, for callers that have no block; each needs one :meth:`leave`."""
        own, free = self._of_client.get(client, 0), self.limit - self.active
        if free <= 0:
            raise Overloaded(
                f"{self.active} {self.kind} are open; at most {self.limit} are taken",
                reason=self._reason,
                limit=self.limit,
                value=self.active + 1,
            )
        if own >= CLIENT_TO_FREE_RATIO * free:
            raise Overloaded(
                f"{own} of the {self.active} open {self.kind} are this client's; a client may have at most"
                f" {CLIENT_TO_FREE_RATIO} times as many as are free, of {self.limit} in all",
                reason=self._reason,
                limit=CLIENT_TO_FREE_RATIO * free,
                value=own + 1,
            )
        self.active += 1
        self._of_client[client] = own + 1

    def leave(self, client: str) -> None:
        """End a call that :meth:`enter` admitted."""
        self.active -= 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]
