"""HTTP for :class:`hiseg.client.AsyncClient`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import httpx

from hiseg.client.connection import Address, StreamOptions
from hiseg.client.errors import NOT_READY, DeadlineExceeded
from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.http_calls import FAILURES, GRACE_S, NO_STREAMS, setup, translated
from hiseg.client.http_wire import INFO, READY, SEGMENT, Post, read, to_result
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Result


class AsyncHttpTransport:
    """A :class:`hiseg.client.connection.AsyncTransport`."""

    def __init__(self, to: Address) -> None:
        self._session = httpx.AsyncClient(**setup(to))
        self._jpeg_quality = to.jpeg_quality

    def prepare(self, question: SegmentRequest) -> Callable[[float], Awaitable[Result]]:
        post = Post(question, self._jpeg_quality)

        async def call(seconds: float) -> Result:
            return to_result(await self._call("POST", SEGMENT, seconds, **post.arguments(seconds)))

        return call

    async def info(self, seconds: float) -> dict[str, Any]:
        return await self._call("GET", INFO, seconds)

    async def ready(self, seconds: float) -> bool:
        try:
            await self._call("GET", READY, seconds)
        except NOT_READY:
            return False
        return True

    def stream(
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], how: StreamOptions
    ) -> AsyncIterator[Outcome]:
        raise ValueError(NO_STREAMS)

    async def close(self) -> None:
        await self._session.aclose()

    async def _call(self, method: str, path: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds + GRACE_S):
                answer = await self._session.request(method, path, timeout=None, **arguments)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {seconds:.3g} s") from error
        except FAILURES as error:
            raise translated(error, seconds) from error
        return read(answer.status_code, answer.headers, answer.content)
