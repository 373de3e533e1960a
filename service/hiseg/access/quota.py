"""Somebody with a key, and how much of the service is theirs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hiseg.access.keys import Limits
from hiseg.access.token_bucket import TokenBucket
from hiseg.core.errors import Overloaded


class ClientQuota:
    """Counts what one name asks for, over HTTP and gRPC together.

    Args:
        name: of the key; empty: nobody needs one here.
        limits: what may be asked for.
        clock: seconds, monotonic.
    """

    def __init__(
        self, name: str = "", limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.inside = 0
        self._clock = clock
        self._bucket = TokenBucket(self.limits.rate, clock()) if self.limits.rate else None

    def client(self, address: str) -> str:
        """Whose share of the engine its work has: the key's; without one the address's."""
        return f"key:{self.name}" if self.name else address

    def spend(self) -> None:
        """One more request, or frame of a stream.

        Raises:
            Overloaded: they come too fast.
        """
        if self._bucket and (wait := self._bucket.take(self._clock())):
            raise Overloaded(
                f"more than {self.limits.rate:g} requests a second came with the key {self.name!r}",
                reason="key_rate",
                retry_after=math.ceil(wait),
                limit=self.limits.rate,
            )

    @contextmanager
    def one(self) -> Iterator[None]:
        """A request or stream is inside until the end of the block.

        Raises:
            Overloaded: as many are inside already as may be.
        """
        most = self.limits.concurrent
        if most and self.inside >= most:
            raise Overloaded(
                f"{self.inside} requests are inside with the key {self.name!r}; at most {most} are taken",
                reason="key_concurrent",
                limit=most,
                value=self.inside + 1,
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
