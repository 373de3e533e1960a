"""What can go wrong for a caller: the same exceptions for HTTP and gRPC."""

from __future__ import annotations

from hiseg.core import errors as service
from hiseg.core.reasons import RETRY_HELPS, Reason


class ClientError(Exception):
    """Base of all errors of the client.

    Attributes:
        detail: what is wrong, in one sentence; the service's own if it sent one.
        reason: why, in the service's word for programs, e.g. ``TOO_MANY_BOXES``: one of :class:`Reason`, or a newer
            one. None: the service sent none, or it wasn't the service that answered.
        status: HTTP status; None over gRPC, and where there was no answer.
        code: name of the gRPC code; None over HTTP, and where there was no answer.
        field: the part of the request at fault, e.g. ``boxes[2]``, if known.
        limit: the limit that was exceeded, if known.
        value: what was sent instead, if known.
        retry_after: seconds after which the service says a new try makes sense.
        retryable: whether sending the same request again may help, and can do no harm.
    """

    retryable: bool = False

    def __init__(
        self,
        detail: str,
        *,
        reason: str | None = None,
        status: int | None = None,
        code: str | None = None,
        field: str | None = None,
        limit: object = None,
        value: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        if reason in KIND_OF_REASON:
            self.retryable = reason in RETRY_HELPS
        self.status = status
        self.code = code
        self.field = field
        self.limit = limit
        self.value = value
        self.retry_after = retry_after


class InvalidRequest(ClientError, ValueError):
    """The request is invalid, and will be the next time."""


def invalid(detail: str, *, field: str, limit: object = None, value: object = None) -> InvalidRequest:
    """An error that is found here, with the reason that the service would have given."""
    return InvalidRequest(detail, reason=Reason.INVALID_REQUEST.value, field=field, limit=limit, value=value)


class TooLarge(InvalidRequest):
    """More bytes, pixels or boxes than the service takes."""


class UnsupportedImage(InvalidRequest):
    """The image, or the body, has a type that the service doesn't read."""


class UndecodableImage(InvalidRequest):
    """The image has the right type, but is damaged."""


class Unauthorized(ClientError):
    """The service wants another API key, or a certificate."""


class Overloaded(ClientError):
    """The service refused the request because it has too much to do."""

    retryable = True


class Unavailable(ClientError):
    """The service is starting, shutting down, or without an engine."""

    retryable = True


class ConnectionFailed(Unavailable):
    """Nothing answers at the address. Over gRPC also: the connection was lost, which gRPC doesn't tell apart."""


class ConnectionLost(ClientError):
    """The connection ended after the request was sent, before the answer came."""


class DeadlineExceeded(ClientError):
    """The request's time was over before the answer came."""


class InternalError(ClientError):
    """A bug in the service; the detail has the id that stands in its log."""


class UnexpectedAnswer(ClientError):
    """What answered doesn't speak as the service does: a proxy, another service, another version."""


KIND_OF_REASON: dict[str, type[ClientError]] = {
    reason.value: kind
    for kind, of in (
        (InvalidRequest, service.InvalidRequest),
        (TooLarge, service.TooLarge),
        (UnsupportedImage, service.UnsupportedImage),
        (UndecodableImage, service.UndecodableImage),
        (Overloaded, service.Overloaded),
        (Unavailable, service.Unavailable),
        (DeadlineExceeded, service.DeadlineExceeded),
        (Unauthorized, service.Unauthorized),
        (InternalError, service.InternalError),
    )
    for reason in of.reasons
} | {
    Reason.MESSAGE_TOO_LARGE.value: TooLarge,
    Reason.URL_TOO_LONG.value: TooLarge,
    Reason.HEADERS_TOO_LARGE.value: TooLarge,
    Reason.FRAMING_TOO_LARGE.value: TooLarge,
    Reason.HEADERS_TOO_SLOW.value: DeadlineExceeded,
    Reason.TOO_MANY_CONNECTIONS.value: Unavailable,
    Reason.MALFORMED_HTTP.value: UnexpectedAnswer,
    Reason.NOT_FOUND.value: UnexpectedAnswer,
    Reason.METHOD_NOT_ALLOWED.value: UnexpectedAnswer,
    Reason.NOT_ACCEPTABLE.value: UnexpectedAnswer,
}
"""The exception for each reason. Where an answer has none, or a newer one, its status or its code decides."""
NOT_READY = (Unavailable, ConnectionLost, DeadlineExceeded)
"""Errors that mean, when the service is asked whether it is ready, that it isn't."""
