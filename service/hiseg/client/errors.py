"""What can go wrong for a caller, the same types on both transports."""

from __future__ import annotations

from typing import ClassVar


class ClientError(Exception):
    """Base of all errors of the client.

    Attributes:
        detail: one sentence in plain words, the service's where it said one.
        status: HTTP's; None over gRPC, and when the service wasn't asked.
        code: gRPC's, by name; None over HTTP, and when the service wasn't asked.
        field: the part of the request at fault, e.g. ``boxes[2]``, if known.
        limit: the limit that was exceeded; HTTP only.
        value: what was sent instead; HTTP only.
        retry_after: seconds after which the service says a new try makes sense.
    """

    retryable: ClassVar[bool] = False
    """Asking the same once more may help, and can do no harm."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        field: str | None = None,
        limit: object = None,
        value: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.field = field
        self.limit = limit
        self.value = value
        self.retry_after = retry_after


class InvalidRequest(ClientError, ValueError):
    """Something about the request is wrong, and will be the next time. Over gRPC the subclasses aren't told apart."""


class TooLarge(InvalidRequest):
    """More bytes, pixels or boxes than the service takes."""


class UnsupportedImage(InvalidRequest):
    """Not one of the image types that the service reads."""


class UndecodableImage(InvalidRequest):
    """The right type, but broken."""


class Unauthorized(ClientError):
    """The service wants another API key, or a certificate."""


class Overloaded(ClientError):
    """Turned away by load."""

    retryable = True


class Unavailable(ClientError):
    """Starting, shutting down, or without an engine."""

    retryable = True


class ConnectionFailed(Unavailable):
    """Nobody answers at the address. Over gRPC also a connection that was lost, which it doesn't tell apart."""


class ConnectionLost(ClientError):
    """It ended after the request was sent, before the answer came."""


class DeadlineExceeded(ClientError):
    """The time given was over before the answer came."""


class InternalError(ClientError):
    """A bug in the service; the detail has the id that stands in its log."""


class UnexpectedAnswer(ClientError):
    """What answered doesn't speak as the service does: a proxy, another service, another version."""


NOT_READY = (Unavailable, ConnectionLost, DeadlineExceeded)
"""What a service that was asked whether it is ready may also answer with."""
