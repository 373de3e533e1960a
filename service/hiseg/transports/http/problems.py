"""Errors as ``application/problem+json`` (RFC 9457), naming the field, the limit and the value at fault."""

from __future__ import annotations

import logging
import uuid
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
}
log = logging.getLogger("hiseg.http")


def problem(error: errors.HisegError) -> JSONResponse:
    """The answer to an error of ours."""
    status = STATUS[type(error)]
    body = {"type": "about:blank", "title": error.title, "status": status.value, "detail": error.detail}
    extras = {"field": error.field, "limit": error.limit, "value": error.value}
    content = body | {key: value for key, value in extras.items() if value is not None}
    return JSONResponse(content, status, how_to_return(error), MEDIA_TYPE)


def how_to_return(error: errors.HisegError) -> dict[str, str]:
    """The header that says when to come back, or how, where that makes sense."""
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def bug() -> JSONResponse:
    """The answer to an error that isn't ours to explain; must be called while it is being handled."""
    body = {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "detail": "a bug; the log has more under this id",
        "id": incident(),
    }
    return JSONResponse(body, HTTPStatus.INTERNAL_SERVER_ERROR, media_type=MEDIA_TYPE)


def incident() -> str:
    """Write the error that is being handled into the log; the id that it has there."""
    number = uuid.uuid4().hex
    log.exception("internal error %s", number)
    return number


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` as a problem."""

    @app.exception_handler(errors.HisegError)
    def ours(request: Request, error: errors.HisegError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(Exception)
    def bugs(request: Request, error: Exception) -> JSONResponse:
        return bug()

    @app.exception_handler(HTTPException)
    def frameworks(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        body = {"type": "about:blank", "title": title, "status": error.status_code, "detail": str(error.detail)}
        return JSONResponse(body, error.status_code, error.headers, MEDIA_TYPE)
