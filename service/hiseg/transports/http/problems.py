"""Errors as ``application/problem+json`` (RFC 9457), naming the field, the limit and the value at fault."""

from __future__ import annotations

from collections.abc import Mapping
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


FRAMEWORK_REASONS: dict[HTTPStatus, errors.Reason] = {
    HTTPStatus.BAD_REQUEST: errors.Reason.MALFORMED_HTTP,
    HTTPStatus.NOT_FOUND: errors.Reason.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: errors.Reason.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE: errors.Reason.NOT_ACCEPTABLE,
    HTTPStatus.REQUEST_TIMEOUT: errors.Reason.HEADERS_TOO_SLOW,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.Reason.FRAMING_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG: errors.Reason.URL_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: errors.Reason.HEADERS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE: errors.Reason.TOO_MANY_CONNECTIONS,
}
"""Reasons of what is refused without a :class:`HisegError`: by the framework, or before a request is complete."""


class FrameworkProblem(HTTPException):
    """What is refused without a :class:`HisegError`, with the part of the request at fault.

    Args:
        status: the HTTP status.
        detail: what is wrong, in one sentence.
        field: the part of the request at fault.
        limit: what is taken instead.
        value: what was sent, as :func:`hiseg.core.errors.quote` shows it.
    """

    def __init__(self, status: HTTPStatus, detail: str, *, field: str, limit: object, value: object) -> None:
        super().__init__(status, detail)
        self.members = {"field": field, "limit": limit, "value": errors.quote(value)}


PROTOCOL = "/v2"
"""Paths of the Open Inference Protocol, whose clients look for the sentence in the member ``error``."""


def problem(error: errors.HisegError, path: str = "") -> JSONResponse:
    """The response to an error of a request for a path."""
    status = STATUS[type(error)]
    extras = {"field": error.field, "limit": error.limit, "value": error.value, "id": getattr(error, "id", None)}
    content = problem_fields(status, error.title, error.reason, error.detail, extras | _of_protocol(path, error.detail))
    return JSONResponse(content, status, error_headers(error), MEDIA_TYPE)


def problem_fields(
    status: HTTPStatus, title: str, reason: errors.Reason, detail: str, extras: Mapping[str, object]
) -> dict[str, object]:
    """The members of a problem; of ``extras`` those that are known."""
    members = {"type": "about:blank", "title": title, "status": status.value, "reason": reason, "detail": detail}
    return members | {key: value for key, value in extras.items() if value is not None}


def _of_protocol(path: str, detail: str) -> dict[str, object]:
    return {"error": detail} if path == PROTOCOL or path.startswith(PROTOCOL + "/") else {}


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
        return problem(error, request.url.path)

    @app.exception_handler(HTTPException)
    async def framework_error(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        reason = FRAMEWORK_REASONS.get(status, errors.Reason.INVALID_REQUEST)
        text, path = str(error.detail), request.url.path
        if extras := _of_protocol(path, text):
            text = f"there is no {errors.shorten(path)}" if status is HTTPStatus.NOT_FOUND else text
            extras = {"error": text}
        if isinstance(error, FrameworkProblem):
            extras |= error.members
        content = problem_fields(status, status.phrase, reason, text, extras)
        return JSONResponse(content, status, error.headers, MEDIA_TYPE)
