"""The errors that a caller may see, one class for each kind; each transport maps the classes to its status codes."""

from __future__ import annotations


class HisegError(Exception):
    """Base of all errors a caller may see.

    Args:
        detail: what is wrong, in one sentence.
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

    def with_prefix(self, part: str) -> HisegError:
        """Return a copy whose ``field`` and ``detail`` begin with the name of a part of a request, e.g. ``tasks[1]``.

        The error itself isn't changed, since all requests that shared a batch may have been failed with it.
        """
        copy = type(self).__new__(type(self), *self.args)
        copy.__dict__.update(self.__dict__)
        copy.field = f"{part}.{self.field}" if self.field else part
        copy.detail = f"{part}: {self.detail}"
        return copy


class InvalidRequest(HisegError):
    """The request has a bad box, bad JSON, or an unknown variant or option."""

    title = "Invalid request"


class TooLarge(HisegError):
    """The request has more bytes, pixels or boxes than the service takes."""

    title = "Too large"


class UnsupportedImage(HisegError):
    """The image is of a type that the service doesn't read."""

    title = "Unsupported image type"


class UndecodableImage(HisegError):
    """The image is of a type that the service reads, but its data is truncated or damaged."""

    title = "Image cannot be decoded"


class Overloaded(HisegError):
    """The request was refused because of load, or of the limits of its API key.

    Args:
        reason: which limit, in one word, as the metrics count it: "wait", "deadline", "bytes",
            "engine", "key_rate" or "key_concurrent".
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
    """The service is starting or shutting down, or no engine answers.

    Args:
        reason: which of these, in one word, as the metrics count it.
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
    """The service needs an API key, and the request has none, or one that isn't known."""

    title = "No valid API key"


class InternalError(HisegError):
    """A bug: an unexpected exception, which was logged.

    Args:
        id: the id under which the log has the traceback.
    """

    title = "Internal error"

    def __init__(self, id: str) -> None:
        super().__init__(f"a bug; the log has more under the id {id}")
        self.id = id
