"""The client for programs on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from hiseg.client.errors import ClientError
from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, FrameOptions, Options, check_options, make_request, pop_timeout, to_seconds
from hiseg.client.result import Result
from hiseg.client.retry import RetryBudget
from hiseg.client.tls import Tls
from hiseg.client.transport import Address, AsyncTransport, StreamOptions, parse_address
from hiseg.core.policy import Policy

T = TypeVar("T")


class AsyncClient:
    """A connection to a service, used on the event loop on which it is made; for the arguments see :class:`Client`."""

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
        self._timeout = to_seconds("timeout", timeout)
        self._retries = retries
        self._transport = _connect(
            parse_address(url, api_key=api_key, headers=headers, tls=tls, jpeg_quality=jpeg_quality)
        )

    async def segment(self, image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
        """See :meth:`Client.segment`; files are read and pixels encoded in another thread."""
        request_options: dict[str, Any] = {**options}
        budget = RetryBudget(self._retries, pop_timeout(request_options, self._timeout))
        call = await asyncio.to_thread(lambda: self._transport.prepare(make_request(image, boxes, request_options)))
        return await _call(call, budget)

    def stream(
        self,
        frames: AsyncIterable[FrameLike] | Iterable[FrameLike],
        policy: Policy | str = Policy.WAIT,
        *,
        reuse_boxes: bool = False,
        frame_timeout: float | None = None,
        **options: Unpack[FrameOptions],
    ) -> AsyncIterator[Outcome]:
        """See :meth:`Client.stream`; ``frames`` may be either kind of iterable, and an ordinary one may block."""
        stream_options = StreamOptions(Policy(policy), check_options({**options}), reuse_boxes, frame_timeout)
        return self._transport.stream(frames, stream_options)

    async def info(self) -> dict[str, Any]:
        """See :meth:`Client.info`."""
        return await _call(self._transport.info, RetryBudget(self._retries, self._timeout))

    async def ready(self) -> bool:
        """See :meth:`Client.ready`."""
        return await self._transport.ready(self._timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _connect(address: Address) -> AsyncTransport:
    # Not at the top: a client needs one of the two libraries, and takes time for it.
    if address.is_grpc:
        from hiseg.client.grpc_aio import AsyncGrpcTransport

        return AsyncGrpcTransport(address)
    from hiseg.client.http import AsyncHttpTransport

    return AsyncHttpTransport(address)


async def _call(call: Callable[[float], Awaitable[T]], budget: RetryBudget) -> T:
    """Call with the seconds that are left, again and again as far as the budget allows it."""
    while True:
        try:
            return await call(budget.left())
        except ClientError as error:
            seconds = budget.pause(error)
        await asyncio.sleep(seconds)
