"""HTTP for both clients: requests and answers as they are sent, and the transports over httpx."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from hiseg.client import errors
from hiseg.client.errors import (
    KIND_OF_REASON,
    NOT_READY,
    ClientError,
    ConnectionFailed,
    ConnectionLost,
    DeadlineExceeded,
    UnexpectedAnswer,
)
from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.images import to_file
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Instance, Result
from hiseg.client.transport import SECURE, Address, StreamOptions
from hiseg.core.result import Found, ModelRef

SEGMENT, INFO, READY = "/v1/segment", "/v1/info", "/readyz"
MAX_QUERY = 2000
"""Most characters of boxes in the query. Proxies take about eight thousand, and quoting may treble these."""
OF_A_MODEL = frozenset(field.name for field in dataclasses.fields(ModelRef))
"""What this client knows of a model; a newer service may say more."""
MAX_DEADLINE_MS = 600_000
"""The longest deadline that the service takes."""
OCTETS = "application/octet-stream"
"""The service finds out for itself which type an image has."""
ERRORS: dict[int, type[ClientError]] = {
    401: errors.Unauthorized,
    403: errors.Unauthorized,
    413: errors.TooLarge,
    415: errors.UnsupportedImage,
    422: errors.InvalidRequest,
    429: errors.Overloaded,
    500: errors.InternalError,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}
IDLE_S = 2.5
"""Seconds after which an idle connection isn't used again: the service closes it after 5, and one that is closed
just as it is used would fail a request."""
FAILURES = (httpx.HTTPError, OSError)
"""What httpx raises where there is no answer; OSError where TLS ends after its handshake."""
GRACE_S = 0.5
"""An answer is waited for so many seconds longer than asked for: the service's own "too late" says more than ours."""
NO_STREAMS = "streams need gRPC: use a grpc:// or grpcs:// URL"


def to_arguments(request: SegmentRequest, jpeg_quality: int | None) -> Callable[[float], dict[str, Any]]:
    """Encode a request once, to be sent as often as need be.

    Returns:
        A function from the seconds that the service has for an answer to httpx's arguments.

    Raises:
        InvalidRequest: the image is a raw frame, which needs gRPC.
    """
    image = to_file(request.image, jpeg_quality)
    boxes = ";".join(",".join(map(repr, row)) for row in request.rows)

    def arguments(seconds: float) -> dict[str, Any]:
        options = {**request.options, "deadline_ms": min(MAX_DEADLINE_MS, max(1, round(seconds * 1000)))}
        if len(boxes) > MAX_QUERY:
            text = json.dumps(options | {"boxes": request.rows})
            return {"files": {"image": ("image", image, OCTETS), "request": (None, text)}}
        return {"params": options | {"boxes": boxes}, "content": image, "headers": {"content-type": OCTETS}}

    return arguments


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Parse an answer's JSON.

    Raises:
        ClientError: the answer is an error.
    """
    fields: dict[str, Any] = {}
    with suppress(ValueError):
        if isinstance(found := json.loads(body), dict):
            fields = found
    if status == 200 and fields:
        return fields
    raise to_service_error(status, headers, body, fields)


def to_service_error(status: int, headers: Mapping[str, str], body: bytes, fields: Mapping[str, Any]) -> ClientError:
    """Make the exception for an answer that is an error; ``fields`` is its problem+json."""
    found = fields.get("reason")
    reason = found if isinstance(found, str) else None
    kind = KIND_OF_REASON.get(reason or "") or ERRORS.get(status, UnexpectedAnswer)
    shown = body[:200].decode(errors="replace").strip()
    detail = str(fields.get("detail") or f"HTTP {status} that the service never says: {shown or 'nothing'}")
    if "id" in fields:
        detail += f" ({fields['id']})"
    return kind(
        detail,
        reason=reason,
        status=status,
        field=fields.get("field"),
        limit=fields.get("limit"),
        value=fields.get("value"),
        retry_after=parse_retry_after(headers.get("retry-after")),
    )


def parse_retry_after(retry_after: str | None) -> float | None:
    """Parse ``Retry-After`` in either of its forms (RFC 9110, 10.2.3) as seconds; None if there is none, or another."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def to_result(fields: Mapping[str, Any]) -> Result:
    """Make the result of an answer's fields.

    Raises:
        UnexpectedAnswer: a field is missing or malformed.
    """
    try:
        image, foreground = fields["image"], fields.get("foreground")
        return Result(
            width=image["width"],
            height=image["height"],
            notes=tuple(image["notes"]),
            model=_model(fields["model"]),
            instances=tuple(map(_instance, fields["instances"])),
            foreground=None if foreground is None else _instance(foreground),
            timings_ms=fields["timings_ms"],
            foreground_source=fields.get("foreground_source"),
            finder=_model(fields["finder"]) if fields.get("finder") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"an answer that the service never gives: {error!r}", status=200) from error


def _instance(fields: Mapping[str, Any]) -> Instance:
    x1, y1, x2, y2 = fields["box"]
    height, width = fields["mask"]["size"]
    found = Found(fields["found"]["score"]) if fields.get("found") else None
    counts = fields["mask"]["counts"]
    return Instance((x1, y1, x2, y2), fields["score"], fields["area"], counts, (height, width), found)


def _model(fields: Mapping[str, Any]) -> ModelRef:
    return ModelRef(**{name: said for name, said in fields.items() if name in OF_A_MODEL})


def session_arguments(address: Address) -> dict[str, Any]:
    """Return the arguments of ``httpx.Client`` and ``httpx.AsyncClient``."""
    return {
        "base_url": address.url,
        "headers": dict(address.headers),
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=IDLE_S),
        "verify": address.tls.context() if address.scheme in SECURE else True,
    }


def to_client_error(error: httpx.HTTPError | OSError, seconds: float) -> ClientError:
    """Say why there is no answer within ``seconds``."""
    reason = str(error) or type(error).__name__
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return ConnectionFailed(f"no connection: {reason}")
        case httpx.TimeoutException():
            return DeadlineExceeded(f"no answer within {seconds:.3g} s")
        case httpx.NetworkError() | httpx.RemoteProtocolError() | OSError():
            return ConnectionLost(f"the connection ended before the answer came: {reason}")
    return UnexpectedAnswer(reason)


class HttpTransport:
    """HTTP for :class:`hiseg.client.Client`; a :class:`hiseg.client.transport.Transport`."""

    def __init__(self, address: Address) -> None:
        self._session = httpx.Client(**session_arguments(address))
        self._jpeg_quality = address.jpeg_quality

    def prepare(self, request: SegmentRequest) -> Callable[[float], Result]:
        arguments = to_arguments(request, self._jpeg_quality)
        return lambda seconds: to_result(self._call("POST", SEGMENT, seconds, **arguments(seconds)))

    def info(self, seconds: float) -> dict[str, Any]:
        return self._call("GET", INFO, seconds)

    def ready(self, seconds: float) -> bool:
        try:
            self._call("GET", READY, seconds)
        except NOT_READY:
            return False
        return True

    def stream(self, frames: Iterable[FrameLike], options: StreamOptions) -> Iterator[Outcome]:
        raise ValueError(NO_STREAMS)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, path, timeout=seconds + GRACE_S, **arguments)
        except FAILURES as error:
            raise to_client_error(error, seconds) from error
        return read_answer(answer.status_code, answer.headers, answer.content)


class AsyncHttpTransport:
    """HTTP for :class:`hiseg.client.AsyncClient`; a :class:`hiseg.client.transport.AsyncTransport`."""

    def __init__(self, address: Address) -> None:
        self._session = httpx.AsyncClient(**session_arguments(address))
        self._jpeg_quality = address.jpeg_quality

    def prepare(self, request: SegmentRequest) -> Callable[[float], Awaitable[Result]]:
        arguments = to_arguments(request, self._jpeg_quality)

        async def call(seconds: float) -> Result:
            return to_result(await self._call("POST", SEGMENT, seconds, **arguments(seconds)))

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
        self, frames: AsyncIterable[FrameLike] | Iterable[FrameLike], options: StreamOptions
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
            raise to_client_error(error, seconds) from error
        return read_answer(answer.status_code, answer.headers, answer.content)
