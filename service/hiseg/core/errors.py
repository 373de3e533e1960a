"""The errors that a caller may see, one class for each kind; each transport maps the classes to its status codes.

An error quotes what the caller sent. How much of it, and in which form, is decided here for all of them, so that no
answer and no line of the log grows with a request or shows it as Python would write it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from hiseg.core.reasons import OVERLOADED
from hiseg.core.reasons import Reason as Reason

MAX_QUOTE_LENGTH = 80
"""Most characters of a caller's text that an error or a line of the log has."""
MAX_DETAIL_LENGTH = 500
"""Most characters of :attr:`HisegError.detail`: with gRPC it travels as a header, of which clients take 8 KiB."""
MAX_QUOTED_ITEMS = 8
"""Most items of a list that an error shows as they are."""

E = TypeVar("E", bound=BaseException)


def forget_frames(error: E) -> E:
    """Take its tracebacks off an error that is kept for its answer.

    They would keep alive whatever was worked on when it was raised: a message or an image of 20 MB, until the answer
    has been sent, and until the next collection of garbage if the function that they lead to keeps the error.
    """
    each: BaseException | None = error
    while each is not None and each.__traceback__ is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


class HisegError(Exception):
    """Base of all errors a caller may see.

    Args:
        detail: what is wrong, in one sentence; cut after :data:`MAX_DETAIL_LENGTH` characters.
        reason: why, in the word that programs decide by; None: the first of :attr:`reasons`.
        field: the part of the request at fault, e.g. ``boxes[2]``; shortened by :func:`shorten`.
        limit: the limit that was exceeded.
        value: what was sent instead, as :func:`quote` shows it; None: it isn't shown.
    """

    title = "Error"
    """The kind of problem, for people."""
    titles: ClassVar[Mapping[Reason, str]] = {}
    """Titles of reasons that the class's own doesn't fit."""
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.INVALID_REQUEST,)
    """The reasons that an error of this class may have, the usual one first."""

    def __init__(
        self,
        detail: str,
        *,
        reason: Reason | None = None,
        field: str | None = None,
        limit: object = None,
        value: object = None,
    ) -> None:
        detail = _cut(detail, MAX_DETAIL_LENGTH, "…")
        super().__init__(detail)
        self.detail = detail
        self.reason = reason or self.reasons[0]
        self.title = self.titles.get(self.reason, type(self).title)
        self.field = None if field is None else shorten(field)
        self.limit = limit
        self.value = None if value is None else quote(value)

    def with_prefix(self, part: str) -> HisegError:
        """Return a copy whose ``field`` and ``detail`` begin with the name of a part of a request, e.g. ``tasks[1]``.

        The error itself isn't changed, since all requests that shared a batch may have been failed with it.
        """
        copy = type(self).__new__(type(self), *self.args)
        copy.__dict__.update(self.__dict__)
        copy.field = f"{part}.{self.field}" if self.field else part
        copy.detail = _cut(f"{part}: {self.detail}", MAX_DETAIL_LENGTH, "…")
        return copy


def shorten(text: str) -> str:
    """A caller's text as errors and the log show it: :data:`MAX_QUOTE_LENGTH` printable characters at most.

    A text that is cut ends with the length that it had, and other characters than printable ones are replaced.
    """
    return _cut(text, MAX_QUOTE_LENGTH, f"… ({len(text)} characters)")


def quote(value: object) -> object:
    """A caller's value as JSON can say it, and short: numbers, words and short lists of them as they are.

    Anything larger is described in words, such as ``a list of 20000``.
    """
    if isinstance(value, bool | str):
        return shorten(value) if isinstance(value, str) else value
    if isinstance(value, int):
        # A bit is 0.301 digits. Python refuses to write numbers of more than some thousand digits.
        return value if value.bit_length() <= 64 else f"a number of about {value.bit_length() * 0.301:.0f} digits"
    if isinstance(value, float):
        # JSON has no words for NaN and infinity.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        plain = len(value) <= MAX_QUOTED_ITEMS and not any(isinstance(item, list | tuple) for item in value)
        return [quote(item) for item in value] if plain else f"a list of {len(value)}"
    return "null" if value is None else "an object"


def _cut(text: str, most: int, ending: str) -> str:
    """Cut a text to ``most`` characters, an ending included, and replace what isn't printable."""
    if len(text) > most:
        text = text[: most - len(ending)] + ending
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


class InvalidRequest(HisegError):
    """The request has a bad box, bad JSON, or an unknown variant or option."""

    title = "Invalid request"


class TooLarge(HisegError):
    """The request has more bytes, pixels or boxes than the service takes."""

    title = "Too large"
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.TOO_LARGE,
        Reason.TOO_MANY_BYTES,
        Reason.TOO_MANY_PIXELS,
        Reason.SIDE_TOO_LONG,
        Reason.TOO_MUCH_MEMORY,
        Reason.TOO_MANY_BOXES,
        Reason.TOO_MANY_MASK_PIXELS,
        Reason.ANSWER_TOO_LARGE,
    )


class UnsupportedImage(HisegError):
    """The image is of a type that the service doesn't read, or the body is."""

    title = "Unsupported image type"
    titles: ClassVar[Mapping[Reason, str]] = {
        Reason.UNSUPPORTED_CONTENT_TYPE: "Unsupported content type",
        Reason.UNSUPPORTED_ENCODING: "Unsupported encoding of the body",
    }
    reasons = (Reason.UNSUPPORTED_IMAGE, Reason.UNSUPPORTED_CONTENT_TYPE, Reason.UNSUPPORTED_ENCODING)


class UndecodableImage(HisegError):
    """The image is of a type that the service reads, but its data is truncated or damaged."""

    title = "Image cannot be decoded"
    reasons = (Reason.UNDECODABLE_IMAGE,)


class Overloaded(HisegError):
    """The request was refused because of load, or of the limits of its API key.

    Args:
        reason: which limit.
        retry_after: seconds after which a new try makes sense; at least 1.
    """

    title = "Overloaded"
    reasons = OVERLOADED

    def __init__(
        self, detail: str, *, reason: Reason, retry_after: int = 1, limit: object = None, value: object = None
    ) -> None:
        super().__init__(detail, reason=reason, limit=limit, value=value)
        self.retry_after = max(1, retry_after)


class Unavailable(HisegError):
    """The service is starting or shutting down, or no engine answers; the reason says which."""

    title = "Unavailable"
    reasons = (
        Reason.NO_ENGINE,
        Reason.STARTING,
        Reason.SHUTTING_DOWN,
        Reason.ENGINE_FAILED,
        Reason.THREADS_STUCK,
    )
    retry_after = 1


class DeadlineExceeded(HisegError):
    """The caller's deadline passed before the answer was ready, or it took too long to send the request."""

    title = "Deadline exceeded"
    reasons = (Reason.DEADLINE_EXCEEDED, Reason.REQUEST_TOO_SLOW, Reason.STREAM_IDLE)


class Unauthorized(HisegError):
    """The service needs an API key, and the request has none, or one that isn't known."""

    title = "No valid API key"
    reasons = (Reason.INVALID_API_KEY,)


class InternalError(HisegError):
    """A bug: an unexpected exception, which was logged.

    Args:
        id: the id under which the log has the traceback.
    """

    title = "Internal error"
    reasons = (Reason.INTERNAL_ERROR,)

    def __init__(self, id: str) -> None:
        super().__init__(f"a bug; the log has more under the id {id}")
        self.id = id
