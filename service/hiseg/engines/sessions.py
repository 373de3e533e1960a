"""Which session a batch runs in, so that batches that run at once share a CPU's cores and not each other's threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
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
        shares: the sessions for batches that run at once, the one with the most threads first; empty: batches run one
            by one.
    """

    def __init__(self, whole: Any, shares: Sequence[Any]) -> None:
        self.whole = whole
        self.size = max(1, len(shares))
        self._shares = [*shares]
        self._lent: list[Any] = []
        self._room = asyncio.Semaphore(self.size)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """Wait until fewer than :attr:`size` batches run, and lend a session until the end of the block."""
        async with self._room:
            session = next(s for s in self._shares if s not in self._lent) if self._lent else self.whole
            self._lent.append(session)
            try:
                yield session
            finally:
                self._lent.remove(session)

    def close(self) -> None:
        """Let go of the sessions, which frees their memory while others may still refer to the pool."""
        self.whole = None
        self._shares.clear()
