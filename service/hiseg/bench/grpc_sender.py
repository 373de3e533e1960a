"""Sends requests over gRPC; messages are built before the run, so that sending one costs little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from grpc.aio import AioRpcError, Channel, UnaryUnaryMultiCallable, insecure_channel

from hiseg.bench.sender import EXPECTED_OUTCOMES, Outcome, Reply, Request, parse_server_timing
from hiseg.client import errors
from hiseg.client.grpc import SEGMENT, to_client_error
from hiseg.core.command_errors import BadOption
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import ENUMS, NAMES

OUTCOMES: dict[type[errors.ClientError], str] = {
    errors.Overloaded: Outcome.OVERLOADED,
    errors.Unavailable: Outcome.UNAVAILABLE,
    errors.ConnectionFailed: Outcome.CONNECTION_ERROR,
    errors.DeadlineExceeded: Outcome.DEADLINE_EXCEEDED,
    errors.Unauthorized: "401",
    errors.TooLarge: "413",
    errors.UnsupportedImage: "415",
    errors.UndecodableImage: "422",
    errors.InvalidRequest: "422",
    errors.InternalError: "500",
}
"""What HTTP would have answered; what the service doesn't say is called by its code."""
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # A service that comes back is found soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
Prepared = tuple[bytes, bytes, float | None]
"""The message's image, the rest of the message, and the call's deadline in seconds."""


class GrpcSender:
    """Calls ``SegmentationService.Segment``; all requests share one connection, as those of gRPC's clients do."""

    def __init__(
        self,
        channel: Channel,
        requests: Sequence[Request],
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._call: UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SEGMENT)
        self._timeout_s = timeout_s
        self._metadata = tuple((headers or {}).items())
        images = {image: pb.SegmentRequest(encoded_image=image) for image in {request.image for request in requests}}
        bodies = {image: message.SerializeToString() for image, message in images.items()}
        self._prepared: list[Prepared] = [
            (bodies[request.image], _rest(request), _deadline_s(request)) for request in requests
        ]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, requests: Sequence[Request], timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[GrpcSender]:
        """Connect, until the end of the block.

        Args:
            url: ``grpc://HOST:PORT``.
            requests: the requests that will be sent, and no others.
            timeout_s: seconds for which an answer is waited for.
            headers: sent with every request, as metadata.

        Raises:
            BadOption: the URL names no port, or the requests pretend to come from several callers.
        """
        target = urlsplit(url)
        if not target.port:
            raise BadOption("--url", url, "has no port")
        if callers := {request.caller for request in requests if request.caller}:
            raise BadOption("--callers", str(len(callers)), "needs HTTP: a gRPC caller is known by its connection")
        async with insecure_channel(target.netloc, options=OPTIONS) as channel:
            yield cls(channel, requests, timeout_s, headers)

    async def send(self, request: Request) -> Reply:
        image, rest, deadline_s = self._prepared[request.number]
        # The call's own deadline is the request's: the service sees it. Ours, after which nobody waits, it doesn't.
        call = self._call(image + rest, timeout=deadline_s, metadata=self._metadata)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer: bytes = await call
                trailing = await call.trailing_metadata()
        except TimeoutError:
            return Reply(Outcome.TIMEOUT)
        except AioRpcError as error:
            return _failed(error)
        return Reply(Outcome.OK, len(answer), parse_server_timing(str(trailing.get("server-timing", ""))))


def _failed(error: AioRpcError) -> Reply:
    failure = to_client_error(error)
    outcome = OUTCOMES.get(type(failure), error.code().name)
    is_expected = outcome in EXPECTED_OUTCOMES and not isinstance(failure, errors.ConnectionFailed)
    return Reply(outcome, detail="" if is_expected else failure.detail)


def _rest(request: Request) -> bytes:
    """Serialise all but the image: protobuf reads two messages written one after the other as one."""
    message = pb.SegmentRequest(boxes=[pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in request.boxes])
    for name, value in request.options.items():
        if name in ENUMS:
            setattr(message, name, ENUMS[name].Value(f"{name}_{value}".upper()))
        elif name in NAMES:
            setattr(message, name, value)
    return message.SerializeToString()


def _deadline_s(request: Request) -> float | None:
    milliseconds = request.options.get("deadline_ms")
    return None if milliseconds is None else float(milliseconds) / 1000
