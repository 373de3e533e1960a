"""Methods that every path has: HEAD wherever GET is, as RFC 9110 wants it and load balancers ask, and OPTIONS."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hiseg.core.errors import shorten


class HeadMiddleware:
    """An ASGI application that answers HEAD as GET, without the body.

    Args:
        app: the application that knows of GET alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def allowed(methods: str) -> str:
    """The value of ``Allow`` for a path whose route has these methods."""
    known = {each.strip() for each in methods.split(",")} | {"OPTIONS"}
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known))


def install(app: FastAPI) -> None:
    """Let ``app`` answer OPTIONS on every path, and other methods with what the path takes; after its problems."""
    as_problem = app.exception_handlers[HTTPException]

    @app.exception_handler(HTTPStatus.METHOD_NOT_ALLOWED)
    async def other_method(request: Request, error: HTTPException) -> Response:
        headers = {"Allow": allowed((error.headers or {}).get("Allow", ""))}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        text = f"{shorten(request.url.path)} takes {headers['Allow']}; {request.method} was sent"
        response: Response = await as_problem(request, HTTPException(error.status_code, text, headers))  # type: ignore[misc]
        return response
