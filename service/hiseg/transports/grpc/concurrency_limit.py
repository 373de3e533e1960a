"""How many calls of a kind there may be at once. gRPC's own limit can be exceeded, and says no without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hiseg.core.errors import Overloaded


class ConcurrencyLimit:
    """A number of seats.

    Args:
        what: who sits in them: "calls" or "streams".
        limit: how many there are.
    """

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A seat until the end of the block.

        Raises:
            Overloaded: all are taken.
        """
        if self.taken >= self.limit:
            raise Overloaded(
                f"{self.taken} {self.what} are open; at most {self.limit} are taken",
                reason=self.what,
                limit=self.limit,
                value=self.taken + 1,
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
