"""Errors as gRPC statuses: a code, one sentence for people, and ``google.rpc`` details for programs."""

from __future__ import annotations

import json
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status.rpc_status import to_status

from hiseg.core import errors
from hiseg.observability.metrics import GONE


class MessageTooLarge(errors.TooLarge):
    """A message that is larger than is taken; its status is the one with which gRPC itself refuses such messages."""

    reasons = (errors.Reason.MESSAGE_TOO_LARGE,)


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
    MessageTooLarge: StatusCode.RESOURCE_EXHAUSTED,
}
STATUS_NAMES = {"ok": StatusCode.OK.name, GONE: StatusCode.CANCELLED.name} | {
    reason.value: code.name for kind, code in CODES.items() for reason in kind.reasons
}
"""Names of statuses for the log, by the outcome of the call as the metrics have it."""
RETRY_AFTER = "retry-after"
"""Key of the trailing metadata of refusals: seconds after which a new try makes sense. gRPC's own refusals lack it."""


DOMAIN = "hiseg"
"""Of the reasons in ``ErrorInfo``: that whose words they are."""
MAX_METADATA_LENGTH = 500
"""Most characters of a limit or a value in ``ErrorInfo``, which travels as a header; what is longer is left out."""


class Refusal(NamedTuple):
    """The arguments of ``context.abort`` with which a call ends that isn't answered."""

    code: StatusCode
    details: str
    trailing: tuple[tuple[str, str | bytes], ...] = ()


def refusal(error: errors.HisegError) -> Refusal:
    """The status that a call ends with because of an error."""
    text, code = error.detail, CODES[type(error)]
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata(error))
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        retry = RetryInfo(retry_delay=Duration(seconds=error.retry_after))
        return Refusal(code, text, ((RETRY_AFTER, str(error.retry_after)), *_status_details(code, text, retry, info)))
    if code is StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=error.field, description=text, reason=error.reason)
        return Refusal(code, text, _status_details(code, text, BadRequest(field_violations=[violation]), info))
    return Refusal(code, text, _status_details(code, text, info))


def not_found(text: str) -> Refusal:
    """The status of a call that asks for what isn't there."""
    info = ErrorInfo(reason=errors.Reason.NOT_FOUND, domain=DOMAIN)
    return Refusal(StatusCode.NOT_FOUND, text, _status_details(StatusCode.NOT_FOUND, text, info))


def metadata(error: errors.HisegError) -> dict[str, str]:
    """What is known of an error besides its reason, as texts: what is no text itself is JSON."""
    known = {"field": error.field, "limit": error.limit, "value": error.value, "id": getattr(error, "id", None)}
    texts = {name: found if isinstance(found, str) else json.dumps(found) for name, found in known.items()}
    return {name: text for name, text in texts.items() if known[name] is not None and len(text) <= MAX_METADATA_LENGTH}


def code_number(code: StatusCode) -> int:
    """The number that stands for a code on the wire."""
    return int(code.value[0])


def _status_details(code: StatusCode, text: str, *details: Message) -> tuple[tuple[str, str | bytes], ...]:
    status = Status(code=code_number(code), message=text)
    for detail in details:
        status.details.add().Pack(detail)
    return tuple(to_status(status).trailing_metadata)
