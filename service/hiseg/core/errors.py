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

    def within(self, part: str) -> HisegError:
        """The same in a part of a request. A new one: all that were in a batch may have this one."""
        inner = type(self).__new__(type(self), *self.args)
        inner.__dict__.update(self.__dict__)
        inner.field = f"{part}.{self.field}" if self.field else part
        inner.detail = f"{part}: {self.detail}"
        return inner


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
        reason: what was too much, in one word: "wait", "deadline" or "bytes".
        retry_after: seconds after which a new try makes sense; at least 1.
    """

    title = "Overloaded"

    def __init__(
        self, detail: str, *, reason: str, retry_after: int = 1, limit: object = None, value: object = None
    ) -> None:
        super().__init__(detail, limit=limit, value=value)
        self.reason = reason
        self.retry_after = max(1, retry_after)


class Unavailable(HisegError):
    """Starting, draining, or no engine.

    Args:
        reason: which of them, in one word.
    """

    title = "Unavailable"
    retry_after = 1

    def __init__(self, detail: str, *, reason: str = "engine") -> None:
        super().__init__(detail)
        self.reason = reason


class DeadlineExceeded(HisegError):
    """The caller's deadline passed before the answer was ready."""

    title = "Deadline exceeded"


class Unauthorized(HisegError):
    """A key is needed, and none that is known was sent."""

    title = "No valid API key"


class InternalError(HisegError):
    """A bug: an unexpected exception, which was logged.

    Args:
        id: under which it stands in the log.
    """

    title = "Internal error"

    def __init__(self, id: str) -> None:
        super().__init__(f"a bug; the log has more under the id {id}")
        self.id = id
