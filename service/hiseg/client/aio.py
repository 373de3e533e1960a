"""The client for programs on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from hiseg.client.connect import connect_async
from hiseg.client.connection import StreamOptions, address
from hiseg.client.errors import ClientError
from hiseg.client.frames import FrameLike, Outcome, Policy
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, FrameOptions, Options, ask, checked
from hiseg.client.result import Result
from hiseg.client.retry import RetryBudget
from hiseg.client.tls import Tls

T = TypeVar("T")


class AsyncClient:
    """:class:`hiseg.client.Client` for one event loop, on which it is made; the arguments are the same."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        jpeg_quality: int | None = None,
    ) -> None:
        self._timeout = timeout
        self._retries = retries
        self._transport = connect_async(
            address(url, api_key=api_key, headers=headers, tls=tls, jpeg_quality=jpeg_quality)
        )

    async def segment(self, image: ImageLike, boxes: Boxes, **options: Unpack[Options]) -> Result:
        """As :meth:`Client.segment`; files are read and pixels encoded in another thread."""
        given: dict[str, Any] = {**options}
        tries = RetryBudget(self._retries, given.pop("timeout", self._timeout))
        call = await asyncio.to_thread(lambda: self._transport.prepare(ask(image, boxes, given)))
        return await _tried(call, tries)

    def stream(
        self,
        frames: AsyncIterable[FrameLike] | Iterable[FrameLike],
        policy: Policy | str = Policy.WAIT,
        *,
        reuse_boxes: bool = False,
        frame_timeout: float | None = None,
        **options: Unpack[FrameOptions],
    ) -> AsyncIterator[Outcome]:
        """As :meth:`Client.stream`; ``frames`` may be either kind of iterable, and the ordinary one may block."""
        how = StreamOptions(Policy(policy), checked({**options}), reuse_boxes, frame_timeout)
        return self._transport.stream(frames, how)

    async def info(self) -> dict[str, Any]:
        """As :meth:`Client.info`."""
        return await _tried(self._transport.info, RetryBudget(self._retries, self._timeout))

    async def ready(self) -> bool:
        """As :meth:`Client.ready`."""
        return await self._transport.ready(self._timeout)

    async def close(self) -> None:
        """End the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _tried(call: Callable[[float], Awaitable[T]], tries: RetryBudget) -> T:
    while True:
        try:
            return await call(tries.left())
        except ClientError as error:
            seconds = tries.pause(error)
        await asyncio.sleep(seconds)
