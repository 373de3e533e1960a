"""The protocols of a transport, sync and async, and the address of the service that it leads to."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Result
from hiseg.client.tls import Tls
from hiseg.core.policy import Policy

API_KEY = "x-api-key"
SECURE = frozenset({"https", "grpcs"})
GRPC_PORT = 50051
"""The port on which the service listens by default."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is, and what every request to it needs.

    Attributes:
        url: the URL without a slash at the end.
        scheme: ``http``, ``https``, ``grpc`` or ``grpcs``.
        target: host and port as gRPC takes them.
        headers: sent with every request; over gRPC as metadata.
        tls: certificates, for ``https`` and ``grpcs``.
        jpeg_quality: quality of the JPEG, 1..100, as which pixels are sent; None: they are sent without loss.
    """

    url: str
    scheme: str
    target: str
    headers: Mapping[str, str]
    tls: Tls
    jpeg_quality: int | None

    @property
    def is_grpc(self) -> bool:
        """Whether the transport is gRPC."""
        return self.scheme.startswith("grpc")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers as gRPC's metadata."""
        return tuple((name.lower(), value) for name, value in self.headers.items())


def parse_address(
    url: str,
    *,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | None = None,
    jpeg_quality: int | None = None,
) -> Address:
    """Parse a URL, ``http[s]://`` or ``grpc[s]://``; for the other arguments see :class:`hiseg.client.Client`.

    Raises:
        ValueError: it is no URL of a service, ``tls`` doesn't fit it, or a header can't be sent.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise ValueError(f"{url!r} is not http://HOST…, https://HOST…, grpc://HOST:PORT or grpcs://HOST:PORT")
    if parts.scheme.startswith("grpc") and parts.path.strip("/"):
        raise ValueError(f"{url!r} has a path; gRPC has none")
    if tls is not None and parts.scheme not in SECURE:
        raise ValueError(f"tls is for https:// and grpcs://, not for {url!r}")
    host = parts.hostname
    if ":" in host:
        # Browsers and RFC 6874 quote the % of a zone; httpx and the system don't.
        url = url.replace("%25", "%", 1) if "%25" in host else url
        host = f"[{host.replace('%25', '%', 1)}]"
    sent = dict(headers or {}) | ({} if api_key is None else {API_KEY: api_key})
    for name, value in sent.items():
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            # Without the value: it may be a secret.
            what = "the API key" if name == API_KEY else f"the header {name}"
            raise ValueError(f"{what} has white space at an end, or a character that isn't printable ASCII")
    target = f"{host}:{parts.port or GRPC_PORT}"
    return Address(url.rstrip("/"), parts.scheme, target, sent, tls or Tls(), jpeg_quality)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The configuration of a stream.

    Attributes:
        policy: what becomes of a frame that arrives while those before it are being worked on.
        options: options of every frame, by the service's names.
        reuse_boxes: whether a frame without boxes has those of the frame before, moved by its masks.
        timeout: seconds from a frame's arrival after which it is dropped; None: the service's default.
    """

    policy: Policy
    options: Mapping[str, Any]
    reuse_boxes: bool
    timeout: float | None


class Transport(Protocol):
    """A connection to a service, used by one thread or many."""

    def prepare(self, request: SegmentRequest) -> Callable[[float], Result]:
        """Serialise a request once.

        Returns:
            A function that sends it, with so many seconds for the answer, each time that it is called.
        """

    def info(self, seconds: float) -> dict[str, Any]:
        """Ask for the service's version, models and limits, within so many seconds."""

    def ready(self, seconds: float) -> bool:
        """Ask, within so many seconds, whether the service takes requests."""

    def stream(self, frames: Iterable[FrameLike], options: StreamOptions) -> Iterator[Outcome]:
        """Send frames, and yield what becomes of each, in their order."""

    def close(self) -> None:
        """Close the connection."""


class AsyncTransport(Protocol):
    """A connection to a service, used on one event loop."""

    def prepare(self, request: SegmentRequest) -> Callable[[float], Awaitable[Result]]:
        """Serialise as :meth:`Transport.prepare` does; this may be called in another thread."""

    async def info(self, seconds: float) -> dict[str, Any]:
        """See :meth:`Transport.info`."""

    async def ready(self, seconds: float) -> bool:
        """See :meth:`Transport.ready`."""

    def stream(
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], options: StreamOptions
    ) -> AsyncIterator[Outcome]:
        """See :meth:`Transport.stream`."""

    async def close(self) -> None:
        """Close the connection."""
