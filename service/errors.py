"""Everything that can go wrong, as types; each transport maps them to its status in one place."""

from __future__ import annotations


class HisegError(Exception):
    """Base of all errors a caller may see.

    Args:
        detail: one sentence in plain words.
        field: the part of the request at fault, e.g. ``boxes[2]``.
        limit: the limit that was exceeded.
        value: what was sent instead.
    """

    title = "Error"

    def __init__(self, detail: str, *, field: str | None = None, limit: object = None, value: object = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.limit = limit
        self.value = value


class InvalidRequest(HisegError):
    """Bad box, bad JSON, unknown variant or option."""

    title = "Invalid request"


class TooLarge(HisegError):
    """More bytes, pixels or boxes than the service takes."""

    title = "Too large"


class UnsupportedImage(HisegError):
    """Not one of the image types the service reads."""

    title = "Unsupported image type"


class UndecodableImage(HisegError):
    """The right type, but broken."""

    title = "Image cannot be decoded"


class Overloaded(HisegError):
    """Turned away because too much work is waiting.

    Args:
        retry_after: seconds after which a new try makes sense.
    """

    title = "Overloaded"

    def __init__(self, detail: str, *, retry_after: int, limit: object = None, value: object = None) -> None:
        super().__init__(detail, limit=limit, value=value)
        self.retry_after = retry_after


class Unavailable(HisegError):
    """Starting, draining, or no engine."""

    title = "Unavailable"
    retry_after = 1


class DeadlineExceeded(HisegError):
    """The caller's deadline passed before the answer was ready."""

    title = "Deadline exceeded"
