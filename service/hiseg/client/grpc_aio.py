"""gRPC for :class:`hiseg.client.AsyncClient`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import grpc.aio
from grpc.aio import AioRpcError, StreamStreamCall, StreamStreamMultiCallable, UnaryUnaryMultiCallable

from hiseg.client.errors import NOT_READY
from hiseg.client.frames import FrameLike, Outcome, to_frame
from hiseg.client.grpc import (
    HEALTH,
    INFO,
    OPTIONS,
    SEGMENT,
    SERVING,
    STREAM,
    credentials,
    to_client_error,
    to_config,
    to_frame_message,
    to_info,
    to_outcome,
    to_request,
    to_result,
)
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Result
from hiseg.client.transport import Address, StreamOptions
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

T = TypeVar("T")
Call = StreamStreamCall[pb.SegmentStreamRequest, pb.SegmentStreamResponse]
CALL_ENDED = (AioRpcError, asyncio.InvalidStateError)
"""Errors of writing to a call that has ended; reading from it says why."""


class AsyncGrpcTransport:
    """A :class:`hiseg.client.transport.AsyncTransport`; all tasks share its connections."""

    def __init__(self, address: Address) -> None:
        secure = credentials(address)
        self._channel = (
            grpc.aio.secure_channel(address.target, secure, OPTIONS)
            if secure
            else grpc.aio.insecure_channel(address.target, OPTIONS)
        )
        self._metadata = address.metadata
        self._jpeg_quality = address.jpeg_quality
        self._segment: UnaryUnaryMultiCallable[bytes, pb.SegmentResponse] = self._channel.unary_unary(
            SEGMENT, response_deserializer=pb.SegmentResponse.FromString
        )

    def prepare(self, request: SegmentRequest) -> Callable[[float], Awaitable[Result]]:
        message = to_request(request, self._jpeg_quality)

        async def call(seconds: float) -> Result:
            return to_result(await self._call(self._segment, message, seconds))

        return call

    async def info(self, seconds: float) -> dict[str, Any]:
        call: UnaryUnaryMultiCallable[bytes, pb.GetInfoResponse] = self._channel.unary_unary(
            INFO, response_deserializer=pb.GetInfoResponse.FromString
        )
        return to_info(await self._call(call, b"", seconds))

    async def ready(self, seconds: float) -> bool:
        call: UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(HEALTH)
        try:
            return await self._call(call, b"", seconds) == SERVING
        except NOT_READY:
            return False

    async def stream(
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], options: StreamOptions
    ) -> AsyncIterator[Outcome]:
        start: StreamStreamMultiCallable[pb.SegmentStreamRequest, pb.SegmentStreamResponse]
        start = self._channel.stream_stream(
            STREAM,
            request_serializer=pb.SegmentStreamRequest.SerializeToString,
            response_deserializer=pb.SegmentStreamResponse.FromString,
        )
        call = start(metadata=self._metadata)
        failures: list[Exception] = []
        writing = asyncio.create_task(write(call, self._messages(frames, options, failures)))
        try:
            async for message in call:
                yield to_outcome(message)
        except AioRpcError as error:
            raise to_client_error(error) from error
        finally:
            call.cancel()
            writing.cancel()
            await asyncio.wait([writing])
        if failures:
            raise failures[0]

    async def close(self) -> None:
        await self._channel.close()

    async def _messages(
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], options: StreamOptions, failures: list[Exception]
    ) -> AsyncIterator[pb.SegmentStreamRequest]:
        yield to_config(options)
        sequence = 0
        try:
            async for frame in iterate(frames):
                yield await asyncio.to_thread(to_frame_message, sequence, to_frame(frame), self._jpeg_quality)
                sequence += 1
        except Exception as error:
            failures.append(error)  # raised by the reading, after the outcomes of the frames before

    async def _call(self, call: UnaryUnaryMultiCallable[bytes, T], message: bytes, seconds: float) -> T:
        try:
            return await call(message, timeout=seconds, metadata=self._metadata)
        except AioRpcError as error:
            raise to_client_error(error) from error


async def write(call: Call, messages: AsyncIterator[pb.SegmentStreamRequest]) -> None:
    """Send messages until the last, or until the call ends."""
    async for message in messages:
        try:
            await call.write(message)
        except CALL_ENDED:
            return
    with suppress(*CALL_ENDED):
        await call.done_writing()


async def iterate(frames: AsyncIterable[FrameLike] | Iterable[FrameLike]) -> AsyncIterator[FrameLike]:
    """Yield the frames of either kind of iterable; an ordinary one is waited for in another thread."""
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
        return
    iterator, end = iter(frames), object()
    while (found := await asyncio.to_thread(next, iterator, end)) is not end:
        yield found  # type: ignore[misc]
