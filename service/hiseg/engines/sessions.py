"""Which session a batch runs in, so that batches that run at once share a CPU's cores and not each other's threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

MAX_SHARING = 2
"""Batches that may share a CPU's threads: each holds memory of its own, and two leave hardly a core idle."""


def thread_shares(threads: int) -> list[int]:
    """Threads of each of the batches that share ``threads`` threads, the most first; empty for too few to share."""
    shares = [(threads + index) // MAX_SHARING for index in reversed(range(MAX_SHARING))]
    return shares if shares[-1] else []


class SessionPool:
    """Lends each batch a session, and no session to two batches at once.

    A batch alone can't use all threads fully: the parts of an operator aren't all done at the same moment, least of all
    where other programs want the cores too. So a batch that finds another one running gets its share of the threads, in
    a session of its own; while they follow each other without a pause, all of them get a share, and all of the threads
    have work. Only a batch that finds none running gets all threads.

    Args:
        whole: the session with all threads, for a batch that runs alone.
        shares: open the sessions for batches that run at once, the one with the most threads first; empty: batches run
            one by one.
    """

    def __init__(self, whole: Any, shares: Sequence[Callable[[], Any]]) -> None:
        self.whole = whole
        self.size = max(1, len(shares))
        self._unopened = [*shares]
        self._shares: list[Any] = []
        self._lent: list[Any] = []
        self._room = asyncio.Semaphore(self.size)
        self._opening = threading.Lock()

    def open_shares(self) -> None:
        """Open the sessions for batches that run at once, unless they are open; else the first such batch does it."""
        with self._opening:
            if self._unopened:
                self._shares = [opening() for opening in self._unopened]
                self._unopened = []  # which frees what they were opened of

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """Wait until fewer than :attr:`size` batches run, and lend a session until the end of the block."""
        async with self._room:
            session = await self._share() if self._lent else self.whole
            self._lent.append(session)
            try:
                yield session
            finally:
                self._lent.remove(session)

    async def _share(self) -> Any:
        if self._unopened:
            await asyncio.to_thread(self.open_shares)  # goes on when this is cancelled
        return next((session for session in self._shares if session not in self._lent), None)  # None: it was closed

    def close(self) -> None:
        """Let go of the sessions, which frees their memory while others may still refer to the pool."""
        self.whole = None
        self._unopened, self._shares = [], []
