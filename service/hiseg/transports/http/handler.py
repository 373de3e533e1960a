"""How every route for masks handles a request: opened, read within its time, answered unless the caller hangs up."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.limits import BODY_GRACE_SECONDS, MIN_BODY_BYTES_PER_S
from hiseg.api.outcomes import ClientDisconnected
from hiseg.batching.admission import Reservation
from hiseg.core.errors import DeadlineExceeded, HisegError, Reason
from hiseg.observability.tracing import HEADER, read_traceparent
from hiseg.transports.http.connection import FLOW
from hiseg.transports.http.content import CODINGS, check_coding
from hiseg.transports.http.middleware import LOG_ENTRY, QUOTA

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a request whose caller hung up; nobody receives it."""
T = TypeVar("T")


async def handle(
    exchange: Exchange,
    transport: str,
    request: Request,
    read: Callable[[Request], Awaitable[T]],
    answer: Callable[[T, RequestContext], Awaitable[Response]],
    error_response: Callable[[HisegError], Response],
    model: str = "",
) -> Response:
    """Handle a request from the first check to its response.

    Args:
        exchange: opens the request.
        transport: name of the API in the metrics: "http", "kserve" or "label_studio".
        request: the request; its body isn't read yet.
        read: reads and validates the body.
        answer: does the rest; it is cancelled when the caller hangs up.
        error_response: writes an error in the format of the API.
        model: name of the model that answers; empty: it isn't known before the body is read.
    """
    deadline_ms = whole_number(request.query_params.get("deadline_ms"))
    try:
        with exchange.open(
            transport,
            f"{request.method} {request.scope['route'].path}",
            request.scope[QUOTA],
            request.client.host if request.client else "",
            announced_bytes=whole_number(request.headers.get("content-length")) or 0,
            deadline_s=deadline_ms / 1000 if deadline_ms else None,
            traceparent=read_traceparent(request.headers.get(HEADER, "")),
            log_entry=request.scope[LOG_ENTRY],
            model=model,
        ) as context:
            check_coding(request)
            body = await read_in_time(read, request, context, exchange.settings.body_timeout_seconds)
            response = await cancel_on_disconnect(request.receive, answer(body, context))
            return CountedResponse(response, context.keep_for_answer(len(response.body)))
    except HisegError as error:
        response = error_response(error)
        if error.field in CODINGS:
            response.headers["Accept-Encoding"] = "identity"  # as RFC 9110, section 15.5.16, wants it
        return response
    except ClientDisconnected:
        return Response(status_code=CLIENT_CLOSED_REQUEST)


def whole_number(text: str | None) -> int | None:
    """The number that a header or a query has before the body is read; None if it is none, which is found out later."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 20 else None


class CountedResponse(Response):
    """A response whose memory is counted until the caller's connection has taken it.

    Args:
        response: the response itself.
        kept: the memory that it takes.
    """

    def __init__(self, response: Response, kept: Reservation) -> None:
        super().__init__(status_code=response.status_code)
        self._response = response
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._kept:
            await self._response(scope, receive, send)
            if FLOW in scope:
                await scope[FLOW].drain()


class WholeBodyRequest(Request):
    """A request whose body is read into one piece, without a second copy of all of it at the end."""

    async def body(self) -> bytes:
        buffer = io.BytesIO()
        async for piece in self.stream():
            buffer.write(piece)
        return buffer.getvalue()


async def read_in_time(
    read: Callable[[Request], Awaitable[T]], request: Request, context: RequestContext, seconds: float
) -> T:
    """Read a request, whose bytes are counted as they come.

    Raises:
        DeadlineExceeded: the body took too long to come, or came too slowly.
        TooLarge: it has more bytes than are taken.
        Overloaded: the memory for them isn't free.
        ClientDisconnected: the caller hung up.
        HisegError: what ``read`` raises.
    """
    received = 0
    started = asyncio.get_running_loop().time()

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        context.receive(received)
        is_whole = not message.get("more_body")
        slowest = seconds if is_whole else BODY_GRACE_SECONDS + received / MIN_BODY_BYTES_PER_S
        limit.reschedule(started + min(seconds, slowest))
        return message

    try:
        async with asyncio.timeout_at(started + min(seconds, BODY_GRACE_SECONDS)) as limit:
            return await read(WholeBodyRequest(request.scope, receive))
    except TimeoutError as error:
        if limit.when() == started + seconds:
            raise DeadlineExceeded(
                f"the body took longer than {seconds:g} s", reason=Reason.REQUEST_TOO_SLOW, field="body", limit=seconds
            ) from error
        text = f"less than {MIN_BODY_BYTES_PER_S} bytes a second of the body came"
        raise DeadlineExceeded(
            text, reason=Reason.REQUEST_TOO_SLOW, field="body", limit=MIN_BODY_BYTES_PER_S
        ) from error
    except ClientDisconnect as error:
        raise ClientDisconnected from error


async def cancel_on_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    """Await ``work``, but cancel it if the caller hangs up first.

    Args:
        receive: ASGI's, with the body already read.
        work: the rest of the request.

    Raises:
        ClientDisconnected: the caller hung up.
    """
    connected = asyncio.timeout(None)

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        connected.reschedule(0)  # long past: the work is cancelled at once

    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch())
        try:
            async with connected:
                return await work
        except TimeoutError as error:
            failure = ClientDisconnected() if connected.expired() else error
        except Exception as error:
            failure = error  # kept: the group would wrap it
        finally:
            watching.cancel()
    raise failure
