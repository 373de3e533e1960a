"""Limits requests so that no caller takes everything: per API key a second and at once, and calls at once in all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hiseg.core.errors import Overloaded

ROUNDING = 1e-9
"""Tokens by which a bucket may fall short, so that rounding refuses nobody who waits exactly as long as told."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests may come with one key; 0 means that there is no limit.

    Attributes:
        rate: requests, or frames of streams, a second on average; as many may come at once after a quiet second.
        concurrent: requests and streams at once.
    """

    rate: float = 0.0
    concurrent: int = 0


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

    def client_id(self, address: str) -> str:
        """Return the name under which the engine's time and memory are shared: of the key, or without keys the address.

        Args:
            address: network address of the caller.
        """
        return f"key:{self.name}" if self.name else address

    def take_token(self) -> None:
        """Take a token of the rate limit for one more request, or frame of a stream.

        Raises:
            Overloaded: requests come faster than the limit allows.
        """
        if self._bucket and (wait := self._bucket.take(self._clock())):
            raise Overloaded(
                f"more than {self.limits.rate:g} requests a second came with the key {self.name!r}",
                reason="key_rate",
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
                reason="key_concurrent",
                limit=limit,
                value=self.active + 1,
            )
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


class ConcurrencyLimit:
    """A limit of calls of one kind that may be open at once, whoever makes them.

    gRPC's own limit can be exceeded, and refuses without a reason.

    Args:
        kind: what is counted, "calls" or "streams": the reason and a word in the text of errors.
        limit: how many may be open at once.
    """

    def __init__(self, kind: str, limit: int) -> None:
        self.kind = kind
        self.limit = limit
        self.active = 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Admit a call, and count it as open until the end of the block.

        Raises:
            Overloaded: as many are open as the limit allows.
        """
        if self.active >= self.limit:
            raise Overloaded(
                f"{self.active} {self.kind} are open; at most {self.limit} are taken",
                reason=self.kind,
                limit=self.limit,
                value=self.active + 1,
            )
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
