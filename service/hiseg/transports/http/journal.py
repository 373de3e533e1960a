"""Stands before everything else: gives each request its id, and writes its line into the log when it is over."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hiseg.observability.logs import REQUEST_ID, RequestLogEntry, current_id, read_request_id

NOTE = "hiseg.note"
"""Where a request's scope has what is known of it."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/health", "/v2/health/live", "/v2/health/ready"})
"""Asked every few seconds by machines: no line for these."""


class AccessLogMiddleware:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        number = read_request_id(headers.get(REQUEST_ID.encode(), b"").decode("latin-1"))
        note = scope[NOTE] = RequestLogEntry(client=scope["client"][0] if scope["client"] else "")
        started, status, received, sent = time.perf_counter(), 0, 0, 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID.encode(), number.encode())]
            sent += len(message.get("body", b""))
            await send(message)

        token = current_id.set(number)
        try:
            await self._app(scope, receive_counted, send_with_id)
        finally:
            if scope["path"] not in PROBES:
                note.write(
                    method=scope["method"],
                    path=scope["path"],
                    status=status or 500,
                    bytes_in=received,
                    bytes_out=sent,
                    ms=round((time.perf_counter() - started) * 1000, 2),
                )
            current_id.reset(token)
