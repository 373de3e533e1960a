"""The problems that operations answer, as shared components of the document, with real examples."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from hiseg.access.key_store import KEY_NEEDED
from hiseg.core import errors
from hiseg.core.errors import Reason
from hiseg.transports.http.problems import FRAMEWORK_REASONS, MEDIA_TYPE, problem, problem_fields

UNAUTHORIZED = HTTPStatus.UNAUTHORIZED.value
BEFORE_THE_ROUTE = (400, UNAUTHORIZED, 405, 414, 431)
"""Statuses of problems that are found before it is known which route a request is for, or that it is for none."""
RETRY_AFTER = {"Retry-After": {"description": "Seconds until a new try makes sense", "schema": {"type": "integer"}}}
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Always `Bearer`", "schema": {"type": "string"}}},
    405: {"Allow": {"description": "The methods that the path has", "schema": {"type": "string"}}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
DESCRIPTIONS = {
    400: "What came is no request of HTTP/1.1",
    401: "No API key, or one that isn't known",
    404: "There is no such model",
    405: "The path has no such method",
    406: "`Accept` names nothing that can be answered",
    413: "Too many bytes, pixels or boxes",
    414: "The URL is too long; boxes may stand in the body",
    415: "The image or the body has a type that isn't read",
    422: "A bad box or option, bad JSON, or an image that can't be decoded",
    429: "Too much to do, or the limits of the API key",
    431: "Too many headers, or too long ones",
    500: "A bug; `id` stands in the service's log",
    503: "Starting, shutting down, or no engine answers",
    504: "Not done before the deadline, or the body came too slowly",
}
EXAMPLES: dict[int, list[errors.HisegError]] = {
    401: [errors.Unauthorized(KEY_NEEDED)],
    413: [
        errors.TooLarge(
            "101 boxes were sent; at most 100 are taken",
            reason=Reason.TOO_MANY_BOXES,
            field="boxes",
            limit=100,
            value=101,
        ),
    ],
    415: [
        errors.UnsupportedImage(
            "the image is not image/jpeg, image/png or image/webp",
            field="image",
            limit=["image/jpeg", "image/png", "image/webp"],
            value="GIF89a",
        )
    ],
    422: [
        errors.InvalidRequest("boxes[1] has 3 numbers; a box has 4", field="boxes[1]", limit=4, value=3),
        errors.UndecodableImage("the JPEG image cannot be decoded: its data ends too early", field="image"),
    ],
    429: [
        errors.Overloaded(
            "it would wait about 2400 ms; at most 2000 ms are allowed",
            reason=Reason.WAIT_TOO_LONG,
            limit=2000,
            value=2400,
        )
    ],
    500: [errors.InternalError("0b7e1f6f2b0e4a5f8d0c9a3e5d7c1b2a")],
    503: [
        errors.Unavailable("no engine answers"),
        errors.Unavailable("the models are being loaded", reason=Reason.STARTING),
        errors.Unavailable("the service is shutting down", reason=Reason.SHUTTING_DOWN),
    ],
    504: [errors.DeadlineExceeded("not done before the deadline", field="deadline_ms")],
}
NAMES = {status: "".join(HTTPStatus(status).phrase.title().split()) for status in DESCRIPTIONS} | {413: "TooLarge"}
"""Names of the components by status, e.g. ``NotFound``."""


def responses() -> dict[str, Any]:
    """Every problem as a component, by its name in :data:`NAMES`."""
    return {NAMES[status]: _response(status) for status in DESCRIPTIONS}


def kserve_response(status: int) -> dict[str, Any]:
    """The same problem in the form of the Open Inference Protocol."""
    found = {key: {"error": shown["detail"], "reason": shown["reason"]} for key, shown in _examples(status).items()}
    return _described(status, "application/json", "KserveError", found)


def _response(status: int) -> dict[str, Any]:
    return _described(status, MEDIA_TYPE, "Problem", _examples(status))


def _described(status: int, media_type: str, schema: str, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    shown = {key: {"value": value} for key, value in examples.items()}
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": shown}}
    described = {"description": DESCRIPTIONS[status], "content": content}
    return described | ({"headers": HEADERS[status]} if status in HEADERS else {})


def _examples(status: int) -> dict[str, dict[str, Any]]:
    """Problems of a status by their reasons, as they are answered."""
    if status in EXAMPLES:
        return {str(error.reason): json.loads(bytes(problem(error).body)) for error in EXAMPLES[status]}
    kind = HTTPStatus(status)
    reason = FRAMEWORK_REASONS[kind]
    return {str(reason): problem_fields(kind, kind.phrase, reason, DESCRIPTIONS[status], {})}
