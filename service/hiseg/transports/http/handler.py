"""How every route for masks handles a request: opened, read within its time, answered unless the caller hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.outcomes import ClientDisconnected
from hiseg.core.errors import DeadlineExceeded, HisegError
from hiseg.observability.tracing import HEADER, read_traceparent
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
) -> Response:
    """Handle a request from the first check to its response.

    Args:
        exchange: opens the request.
        transport: name of the API in the metrics: "http", "kserve" or "label_studio".
        request: the request; its body isn't read yet.
        read: reads and validates the body.
        answer: does the rest; it is cancelled when the caller hangs up.
        error_response: writes an error in the format of the API.
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
        ) as context:
            body = await read_in_time(read, request, context, exchange.settings.body_timeout_seconds)
            return await cancel_on_disconnect(request.receive, answer(body, context))
    except HisegError as error:
        return error_response(error)
    except ClientDisconnected:
        return Response(status_code=CLIENT_CLOSED_REQUEST)


def whole_number(text: str | None) -> int | None:
    """The number that a header or a query has before the body is read; None if it is none, which is found out later."""
    return int(text) if text and text.isdecimal() and len(text) < 20 else None


async def read_in_time(
    read: Callable[[Request], Awaitable[T]], request: Request, context: RequestContext, seconds: float
) -> T:
    """Read a request, whose bytes are counted as they come.

    Raises:
        DeadlineExceeded: the body took too long to come.
        TooLarge: it has more bytes than are taken.
        Overloaded: the memory for them isn't free.
        ClientDisconnected: the caller hung up.
        HisegError: what ``read`` raises.
    """
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        context.receive(received)
        return message

    try:
        async with asyncio.timeout(seconds):
            return await read(Request(request.scope, receive))
    except TimeoutError as error:
        raise DeadlineExceeded(f"the body took longer than {seconds:g} s", field="body", limit=seconds) from error
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
