"""Work in the engine goes on for as long as somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def while_wanted(answers: Sequence[asyncio.Future[Any]], run: Coroutine[Any, Any, T]) -> T | None:
    """Await ``run``; cancel it, and return None, once all ``answers`` are done: their callers left."""
    abandoned = asyncio.timeout(None)
    left, over = 0, False

    def leave(_: asyncio.Future[Any]) -> None:
        nonlocal left
        left += 1
        if left == len(answers) and not over:
            abandoned.reschedule(0)

    try:
        async with abandoned:
            for answer in answers:
                answer.add_done_callback(leave)
            try:
                return await run
            finally:
                over = True  # a callback may be on its way
                for answer in answers:
                    answer.remove_done_callback(leave)
    except TimeoutError:
        if not abandoned.expired():
            raise
        return None
