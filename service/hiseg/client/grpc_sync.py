"""gRPC for :class:`hiseg.client.Client`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc

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


class GrpcTransport:
    """A :class:`hiseg.client.transport.Transport`; all threads share its connections."""

    def __init__(self, address: Address) -> None:
        secure = credentials(address)
        self._channel = (
            grpc.secure_channel(address.target, secure, OPTIONS)
            if secure
            else grpc.insecure_channel(address.target, OPTIONS)
        )
        self._metadata = address.metadata
        self._jpeg_quality = address.jpeg_quality
        self._segment: grpc.UnaryUnaryMultiCallable[bytes, pb.SegmentResponse] = self._channel.unary_unary(
            SEGMENT, response_deserializer=pb.SegmentResponse.FromString
        )

    def prepare(self, request: SegmentRequest) -> Callable[[float], Result]:
        message = to_request(request, self._jpeg_quality)
        return lambda seconds: to_result(self._call(self._segment, message, seconds))

    def info(self, seconds: float) -> dict[str, Any]:
        call: grpc.UnaryUnaryMultiCallable[bytes, pb.GetInfoResponse] = self._channel.unary_unary(
            INFO, response_deserializer=pb.GetInfoResponse.FromString
        )
        return to_info(self._call(call, b"", seconds))

    def ready(self, seconds: float) -> bool:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(HEALTH)
        try:
            return self._call(call, b"", seconds) == SERVING
        except NOT_READY:
            return False

    def stream(self, frames: Iterable[FrameLike], options: StreamOptions) -> Iterator[Outcome]:
        failures: list[Exception] = []

        def messages() -> Iterator[pb.SegmentStreamRequest]:
            yield to_config(options)
            try:
                for sequence, frame in enumerate(frames):
                    yield to_frame_message(sequence, to_frame(frame), self._jpeg_quality)
            except Exception as error:
                failures.append(error)  # raised below, after the outcomes of the frames before

        start = self._channel.stream_stream(
            STREAM,
            request_serializer=pb.SegmentStreamRequest.SerializeToString,
            response_deserializer=pb.SegmentStreamResponse.FromString,
        )
        call = start(messages(), metadata=self._metadata)
        try:
            for message in call:
                yield to_outcome(message)
        except grpc.RpcError as error:
            raise to_client_error(error) from error
        finally:
            call.cancel()
        if failures:
            raise failures[0]

    def close(self) -> None:
        self._channel.close()

    def _call(self, call: grpc.UnaryUnaryMultiCallable[bytes, T], message: bytes, seconds: float) -> T:
        try:
            return call(message, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise to_client_error(error) from error
