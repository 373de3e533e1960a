"""A thread of its own for what only one thread may use at a time, such as an open video file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Lane:
    """Runs one call after the other."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Call it there; if the caller is cancelled meanwhile, the call still runs to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


@asynccontextmanager
async def lane(
    name: str, close: Callable[[], None], interrupt: Callable[[], None] | None = None
) -> AsyncIterator[Lane]:
    """A lane until the end of the block.

    Args:
        name: of the thread.
        close: called there last of all, whatever happened.
        interrupt: called here before, to end a call that waits.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=name) as thread:
        own = Lane(thread)
        try:
            yield own
        finally:
            if interrupt:
                interrupt()
            await own.run(close)
