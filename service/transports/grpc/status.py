"""Errors as gRPC statuses: the code, one sentence, and when to try again."""

from __future__ import annotations

import logging
import uuid
from typing import NamedTuple

from grpc import StatusCode

from service import errors

CODES: dict[type[errors.HisegError], StatusCode] = {
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedImage: StatusCode.INVALID_ARGUMENT,
    errors.UndecodableImage: StatusCode.INVALID_ARGUMENT,
    errors.Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
}
RETRY_AFTER = "retry-after"
"""Trailing metadata of refusals: seconds after which a new try makes sense. gRPC's own refusals don't have it."""
MOST_CHARACTERS = 500
"""Of a message. It travels as a header, of which clients take 8 KiB, and may quote what the caller sent."""
log = logging.getLogger("hiseg.grpc")


class Refusal(NamedTuple):
    """How a call ends that isn't answered: the arguments of ``context.abort``."""

    code: StatusCode
    details: str
    trailing: tuple[tuple[str, str], ...] = ()


def refusal(error: errors.HisegError) -> Refusal:
    """The answer to an error of ours."""
    details = error.detail
    if len(details) > MOST_CHARACTERS:
        details = details[: MOST_CHARACTERS - 1] + "…"
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        return Refusal(CODES[type(error)], details, ((RETRY_AFTER, str(error.retry_after)),))
    return Refusal(CODES[type(error)], details)


def bug() -> Refusal:
    """The answer to an error that isn't ours to explain; must be called while it is being handled."""
    incident = uuid.uuid4().hex
    log.exception("internal error %s", incident)
    return Refusal(StatusCode.INTERNAL, f"a bug; the log has more under the id {incident}")
