"""Notices that a caller has hung up while its request is being worked on, and stops the work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


class CallerGone(Exception):
    """Nobody is there to be answered."""


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns or raises; it is cancelled if the caller hangs up first.

    Args:
        receive: ASGI's, with the body already read.
        work: the rest of the request.

    Raises:
        CallerGone: the caller hung up.
    """
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(_caught(work))
        watching = tasks.create_task(_gone(receive))
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        watching.cancel()
    if working.cancelled():
        raise CallerGone
    outcome = working.result()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _caught(work: Coroutine[Any, Any, T]) -> T | Exception:
    # As a value: raised inside a task group it would come out as an ExceptionGroup.
    try:
        return await work
    except Exception as error:
        return error


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
