"""Errors as gRPC statuses: the code, one sentence, and the same for programs: ``google.rpc`` details."""

from __future__ import annotations

import logging
import uuid
from typing import NamedTuple

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status.rpc_status import to_status

from hiseg.core import errors
from hiseg.observability.metrics import BUG

CODES: dict[type[errors.HisegError], StatusCode] = {
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedImage: StatusCode.INVALID_ARGUMENT,
    errors.UndecodableImage: StatusCode.INVALID_ARGUMENT,
    errors.Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.Unauthorized: StatusCode.UNAUTHENTICATED,
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
    trailing: tuple[tuple[str, str | bytes], ...] = ()


def refusal(error: errors.HisegError) -> Refusal:
    """The answer to an error of ours."""
    code, text = CODES[type(error)], sentence(error)
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        retry = RetryInfo(retry_delay=Duration(seconds=error.retry_after))
        return Refusal(code, text, ((RETRY_AFTER, str(error.retry_after)), *_rich(code, text, retry)))
    if code is StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=error.field, description=text)
        return Refusal(code, text, _rich(code, text, BadRequest(field_violations=[violation])))
    return Refusal(code, text)


def status_name(failure: errors.HisegError | str | None) -> str:
    """How a call ended, for logs; what isn't an error is an outcome of :mod:`hiseg.observability.metrics`."""
    match failure:
        case None:
            return StatusCode.OK.name
        case errors.HisegError():
            return CODES[type(failure)].name
    return (StatusCode.INTERNAL if failure == BUG else StatusCode.CANCELLED).name


def sentence(error: errors.HisegError) -> str:
    """What is wrong, not too long."""
    text = error.detail
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def bug() -> Refusal:
    """The answer to an error that isn't ours to explain; must be called while it is being handled."""
    incident = uuid.uuid4().hex
    log.exception("internal error %s", incident)
    return Refusal(StatusCode.INTERNAL, f"a bug; the log has more under the id {incident}")


def number(code: StatusCode) -> int:
    """As it goes over the wire."""
    return int(code.value[0])


def _rich(code: StatusCode, text: str, note: Message) -> tuple[tuple[str, str | bytes], ...]:
    packed = Any()
    packed.Pack(note)
    return tuple(to_status(Status(code=number(code), message=text, details=[packed])).trailing_metadata)
