"""Errors as gRPC statuses: a code, one sentence for people, and ``google.rpc`` details for programs."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status.rpc_status import to_status

from hiseg.core import errors
from hiseg.observability.metrics import BUG, GONE


class MessageTooLarge(errors.TooLarge):
    """A message that is larger than is taken; its status is the one with which gRPC itself refuses such messages."""


CODES: dict[type[errors.HisegError], StatusCode] = {
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedImage: StatusCode.INVALID_ARGUMENT,
    errors.UndecodableImage: StatusCode.INVALID_ARGUMENT,
    errors.Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.Unauthorized: StatusCode.UNAUTHENTICATED,
    errors.InternalError: StatusCode.INTERNAL,
}
STATUS_NAMES = {"ok": StatusCode.OK.name, GONE: StatusCode.CANCELLED.name, BUG: StatusCode.INTERNAL.name} | {
    kind.__name__: code.name for kind, code in CODES.items()
}
STATUS_NAMES[MessageTooLarge.__name__] = StatusCode.RESOURCE_EXHAUSTED.name
"""Names of statuses for the log, by the outcome of the call as the metrics have it."""
RETRY_AFTER = "retry-after"
"""Key of the trailing metadata of refusals: seconds after which a new try makes sense. gRPC's own refusals lack it."""


class Refusal(NamedTuple):
    """The arguments of ``context.abort`` with which a call ends that isn't answered."""

    code: StatusCode
    details: str
    trailing: tuple[tuple[str, str | bytes], ...] = ()


def refusal(error: errors.HisegError) -> Refusal:
    """The status that a call ends with because of an error."""
    text = error.detail
    code = StatusCode.RESOURCE_EXHAUSTED if isinstance(error, MessageTooLarge) else CODES[type(error)]
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        retry = RetryInfo(retry_delay=Duration(seconds=error.retry_after))
        return Refusal(code, text, ((RETRY_AFTER, str(error.retry_after)), *_status_details(code, text, retry)))
    if code is StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=error.field, description=text)
        return Refusal(code, text, _status_details(code, text, BadRequest(field_violations=[violation])))
    return Refusal(code, text)


def code_number(code: StatusCode) -> int:
    """The number that stands for a code on the wire."""
    return int(code.value[0])


def _status_details(code: StatusCode, text: str, detail: Message) -> tuple[tuple[str, str | bytes], ...]:
    packed = Any()
    packed.Pack(detail)
    return tuple(to_status(Status(code=code_number(code), message=text, details=[packed])).trailing_metadata)
