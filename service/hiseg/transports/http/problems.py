"""Errors as ``application/problem+json`` (RFC 9457), naming the field, the limit and the value at fault."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from hiseg.core import errors

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[errors.HisegError], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedImage: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UndecodableImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def problem(error: errors.HisegError) -> JSONResponse:
    """The response to an error."""
    status = STATUS[type(error)]
    body = {"type": "about:blank", "title": error.title, "status": status.value, "detail": error.detail}
    extras = {"field": error.field, "limit": error.limit, "value": error.value, "id": getattr(error, "id", None)}
    content = body | {key: value for key, value in extras.items() if value is not None}
    return JSONResponse(content, status, error_headers(error), MEDIA_TYPE)


def error_headers(error: errors.HisegError) -> dict[str, str]:
    """The header that says when to come back, or what to come back with, where that makes sense."""
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def install(app: FastAPI) -> None:
    """Let ``app`` answer errors of routes that don't do so themselves, also those of the framework, with a problem.

    Unexpected exceptions are left to :class:`hiseg.transports.http.middleware.AccessLogMiddleware`.
    """

    @app.exception_handler(errors.HisegError)
    async def hiseg_error(request: Request, error: errors.HisegError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(HTTPException)
    async def framework_error(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        body = {"type": "about:blank", "title": title, "status": error.status_code, "detail": str(error.detail)}
        return JSONResponse(body, error.status_code, error.headers, MEDIA_TYPE)
