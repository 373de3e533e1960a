"""Works on many photos at once: enough to fill batches and no more, and past those that can't be done.

A photo that can't be done is no reason to leave the others: it is kept as a :class:`Failure`, to be listed at the end.
What concerns them all, such as a server that is gone or a full disk, ends the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

AT_ONCE = 32
"""Photos in progress: as many images as fit two batches, so that one is being prepared while the engine has another."""
MAX_BYTES = 128 * 1024 * 1024
"""Most bytes that their files have together, unless a single one has more."""
LISTED = 20
"""Most failures that are listed one by one."""
P = TypeVar("P")


class PhotoError(Exception):
    """A photo can't be done, or something in it; the message is one line, which needn't name the photo."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What couldn't be done.

    Attributes:
        name: of the photo, as the user knows it.
        reason: why, in one line.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Room:
    """The bytes that photos in progress may hold together; one that is larger has them all to itself.

    Args:
        limit: most bytes.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def take(self, nbytes: int) -> AsyncIterator[None]:
        """Hold bytes within the block, which waits until they are free."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._held or self._held + nbytes <= self._limit)
            self._held += nbytes
        try:
            yield
        finally:
            self._held -= nbytes
            async with self._changed:
                self._changed.notify_all()


async def process(
    photos: Iterable[P],
    work: Callable[[P], Awaitable[None]],
    name: Callable[[P], str],
    progress: Callable[[], None] = lambda: None,
    at_once: int = AT_ONCE,
) -> list[Failure]:
    """Do some work for each photo, for several at once; they are begun in their order.

    Args:
        photos: asked for the next one only when there is work to do.
        work: what is done for a photo, results included, on the event loop.
        name: of a photo, as the user knows it.
        progress: called after every photo, done or failed.
        at_once: most photos in progress.

    Returns:
        The photos for which ``work`` raised :class:`PhotoError`, in their order.

    Raises:
        Exception: any other error of ``work``; those photos that were in progress are cancelled.
        asyncio.CancelledError: the same, if this task is cancelled.
    """
    failures: dict[int, Failure] = {}
    waiting = enumerate(photos)

    async def worker() -> None:
        for place, photo in waiting:
            try:
                await work(photo)
            except PhotoError as error:
                failures[place] = Failure(name(photo), str(error))
            progress()

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(worker())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return [failures[place] for place in sorted(failures)]


def list_failures(failures: list[Failure]) -> list[str]:
    """Return a line for each failure, up to :data:`LISTED` of them, and one for how many more there are."""
    lines = [str(failure) for failure in failures[:LISTED]]
    more = len(failures) - len(lines)
    return lines + ([f"and {more} more"] if more else [])


def count(number: int, thing: str) -> str:
    """Return how many there are of a thing, in words: ``1 photo``, ``2 photos``."""
    return f"{number} {thing}{'s' * (number != 1)}"
