"""The limits of an HTTP connection, and the answer to a request that is beyond one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from hiseg.api.limits import MAX_HEAD_BYTES
from hiseg.transports.http.problems import FRAMEWORK_REASONS, MEDIA_TYPE, problem_fields

HANDSHAKE_SECONDS = 10.0
"""Longest time that a TLS handshake may take."""
FRAMING_BYTES = 64 * 1024
"""Most bytes of a body's framing (sizes of chunks, extensions, trailers), besides a 64th of the bytes of the body."""
PIPELINED_BYTES = 64 * 1024
"""Most bytes that are read behind a request while it is answered."""
LINGER_SECONDS = 5.0
"""Longest time in which the rest of a body is read and dropped when its request was answered already."""
LINGER_BYTES = 256 * 1024 * 1024
"""Most bytes of it: more than any photo or short film has, so that who sends one learns that it is too large."""
SHUTDOWN_SECONDS = 4.0
"""Time that callers have to read their answers when the service ends: a little less than uvicorn waits for them."""
SMALL_READS = 8
"""Number of reads of a request's bytes after which their average size is looked at."""
SMALL_READ_BYTES = 512
"""Average size under which the next bytes are left to gather for :data:`GATHER_SECONDS`: each read costs the same."""
GATHER_SECONDS = 0.1
PIECE_BYTES = 16 * 1024
"""Bytes of a body that gather before the service is woken up for them, unless they are the last."""


class Refusal(Exception):
    """A request that is refused before it is complete; it stops the parser.

    Args:
        status: of the answer; it says the reason, too.
        detail: what is wrong, for people.
        field: what is at fault; empty: the request as a whole.
        limit, value: the limit that is exceeded, and by what, as far as it is known.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        field: str = "",
        limit: float | None = None,
        value: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = FRAMEWORK_REASONS[status]
        self._extras = {"field": field or None, "limit": limit, "value": value}

    def answer(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
        """The whole answer, a problem like all others (:mod:`hiseg.transports.http.problems`)."""
        content = json.dumps(
            problem_fields(self.status, self.status.phrase, self.reason, str(self), self._extras)
        ).encode()
        lines = [STATUS_LINE[self.status], *(name + b": " + value + b"\r\n" for name, value in headers)]
        lines += [b"content-type: %b\r\ncontent-length: %d\r\n" % (MEDIA_TYPE.encode(), len(content))]
        return b"".join([*lines, b"connection: close\r\n\r\n", content])


TOO_MANY = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open")


def too_long(nbytes: int, is_url: bool) -> Refusal:
    status = HTTPStatus.REQUEST_URI_TOO_LONG if is_url else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    text = f"URL and headers have {nbytes} bytes or more; at most {MAX_HEAD_BYTES} are taken"
    return Refusal(status, text, "url" if is_url else "headers", MAX_HEAD_BYTES, nbytes)
