"""Calls by the sync or the async client, so that one test can cover both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hiseg.client import AsyncClient, Client, Outcome, Result
from hiseg.client.frames import FrameLike

KINDS = ("sync", "async")


def call(
    kind: str, url: str, method: str, *arguments: Any, settings: dict[str, Any] | None = None, **named: Any
) -> Any:
    """What ``method`` returns, by a client that is there for this call alone."""
    settings = settings or {}
    if kind == "sync":
        with Client(url, **settings) as client:
            return getattr(client, method)(*arguments, **named)

    async def scenario() -> Any:
        async with AsyncClient(url, **settings) as client:
            return await getattr(client, method)(*arguments, **named)

    return asyncio.run(scenario())


def segment(
    kind: str, url: str, image: Any, boxes: Any, settings: dict[str, Any] | None = None, **named: Any
) -> Result:
    """The masks."""
    result: Result = call(kind, url, "segment", image, boxes, settings=settings, **named)
    return result


def stream(kind: str, url: str, frames: Iterable[FrameLike], policy: str = "wait", **named: Any) -> list[Outcome]:
    """All outcomes; to the async client the frames come as an async iterable."""
    if kind == "sync":
        with Client(url) as client:
            return list(client.stream(frames, policy, **named))

    async def each() -> Any:
        for frame in frames:
            yield frame

    async def scenario() -> list[Outcome]:
        async with AsyncClient(url) as client:
            return [outcome async for outcome in client.stream(each(), policy, **named)]

    return asyncio.run(scenario())
