"""The places in the engine: as many as it has at the moment, which may change while batches run and wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class EngineSlots:
    """Lets in as many as there are places.

    Args:
        count: how many there are now.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._taken = 0
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place, as soon as one is free, until the end of the block.

        While there are none at all nobody waits: jobs are refused then, so who comes has nothing to run.
        """
        while 0 < self._count() <= self._taken:
            self._moved.clear()
            await self._moved.wait()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self.changed()

    def changed(self) -> None:
        """Those that wait look again."""
        self._moved.set()
