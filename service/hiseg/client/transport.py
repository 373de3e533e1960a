"""What the two clients ask of a transport, and where the service is that it leads to."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from hiseg.client.frames import FrameLike, Outcome, Policy
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Result
from hiseg.client.tls import Tls

API_KEY = "x-api-key"
SECURE = frozenset({"https", "grpcs"})
GRPC_PORT = 50051
"""Where the service listens unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is, and how to speak to it.

    Attributes:
        url: as given, without a slash at the end.
        scheme: ``http``, ``https``, ``grpc`` or ``grpcs``.
        target: host and port, for gRPC.
        headers: sent with every request; over gRPC as metadata.
        tls: for ``https`` and ``grpcs``.
        jpeg_quality: pixels travel as JPEGs of this quality; None: without loss.
    """

    url: str
    scheme: str
    target: str
    headers: Mapping[str, str]
    tls: Tls
    jpeg_quality: int | None

    @property
    def is_grpc(self) -> bool:
        return self.scheme.startswith("grpc")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers as gRPC has them."""
        return tuple((name.lower(), value) for name, value in self.headers.items())


def address(
    url: str,
    *,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | None = None,
    jpeg_quality: int | None = None,
) -> Address:
    """The service at ``url``.

    Raises:
        ValueError: no URL of a service.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise ValueError(f"{url!r} is not http://HOST…, https://HOST…, grpc://HOST:PORT or grpcs://HOST:PORT")
    if parts.scheme.startswith("grpc") and parts.path.strip("/"):
        raise ValueError(f"{url!r} has a path; gRPC has none")
    if tls is not None and parts.scheme not in SECURE:
        raise ValueError(f"tls is for https:// and grpcs://, not for {url!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    sent = dict(headers or {}) | ({} if api_key is None else {API_KEY: api_key})
    target = f"{host}:{parts.port or GRPC_PORT}"
    return Address(url.rstrip("/"), parts.scheme, target, sent, tls or Tls(), jpeg_quality)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a stream goes.

    Attributes:
        policy: what becomes of a frame that can't be worked on at once.
        options: what is wanted of each frame.
        reuse_boxes: a frame without boxes has those of the frame before, moved by its masks.
        timeout: seconds from a frame's arrival after which it is dropped; None: the service's default.
    """

    policy: Policy
    options: Mapping[str, Any]
    reuse_boxes: bool
    timeout: float | None


class Transport(Protocol):
    """A connection to a service, for one thread or many."""

    def prepare(self, question: SegmentRequest) -> Callable[[float], Result]:
        """Write the question down once; what is returned asks it, within so many seconds, as often as it is called."""

    def info(self, seconds: float) -> dict[str, Any]:
        """What the service says of itself."""

    def ready(self, seconds: float) -> bool:
        """Whether it is there and takes requests."""

    def stream(self, frames: Iterable[FrameLike], how: StreamOptions) -> Iterator[Outcome]:
        """What becomes of the frames, in their order."""

    def close(self) -> None:
        """End the connection."""


class AsyncTransport(Protocol):
    """A connection to a service, for one event loop."""

    def prepare(self, question: SegmentRequest) -> Callable[[float], Awaitable[Result]]:
        """As :meth:`Transport.prepare`; may run in another thread."""

    async def info(self, seconds: float) -> dict[str, Any]:
        """As :meth:`Transport.info`."""

    async def ready(self, seconds: float) -> bool:
        """As :meth:`Transport.ready`."""

    def stream(
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], how: StreamOptions
    ) -> AsyncIterator[Outcome]:
        """As :meth:`Transport.stream`."""

    async def close(self) -> None:
        """End the connection."""
