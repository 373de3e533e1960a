"""Notices that a caller has hung up while its request is being worked on, and stops the work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

T = TypeVar("T")


class ClientDisconnected(Exception):
    """Nobody is there to be answered."""


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """What ``work`` returns or raises; it is cancelled if the caller hangs up first.

    Args:
        receive: ASGI's, with the body already read.
        work: the rest of the request.

    Raises:
        CallerGone: the caller hung up.
    """
    present = asyncio.timeout(None)

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        present.reschedule(0)  # long past: the work is cancelled at once

    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch())
        try:
            async with present:
                return await work
        except TimeoutError as error:
            failure = ClientDisconnected() if present.expired() else error
        except Exception as error:
            failure = error  # kept: the group would wrap it
        finally:
            watching.cancel()
    raise failure
