"""Reads multipart bodies into memory, within limits, and to their end.

Starlette's own reader writes larger parts to disk, in threads, where nobody counts them.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hiseg.core.errors import InvalidRequest, shorten

MAX_PART_HEADERS = 8
"""Most headers of a part."""
MAX_PART_HEADER_BYTES = 4096
"""Most bytes of a header of a part."""
MAX_PREAMBLE_BYTES = 4096
"""Most bytes before the first part."""
AS_THEY_ARE = ("", "binary", "8bit", "7bit")
"""Encodings of a part in which its bytes are what they are."""
# It writes a line about each malformed body, as often as callers like.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Part:
    """One part of a body.

    Attributes:
        name: the part's name.
        has_filename: it has the name of a file, as files have in nearly all clients, and fields have not.
        media_type: its content type in small letters, without parameters; empty if it names none.
        content: its bytes.
    """

    def __init__(self, name: str, has_filename: bool = False, media_type: str = "") -> None:
        self.name = name
        self.has_filename = has_filename
        self.media_type = media_type
        self._buffer = io.BytesIO()

    def write(self, data: memoryview) -> None:
        """Add to the content."""
        self._buffer.write(data)

    @property
    def content(self) -> bytes:
        return self._buffer.getvalue()


class _Reader:
    """Collects the parts that the parser finds."""

    def __init__(self, check: Callable[[Part], None]) -> None:
        self._check = check
        self.parts: list[Part] = []
        self.is_whole = False
        self._part: Part | None = None
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}

    def on_part_begin(self) -> None:
        self._headers = {}

    def on_header_begin(self) -> None:
        self._field, self._value = b"", b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower().decode("latin-1")
        if encoding not in AS_THEY_ARE:
            told = f"part {shorten(name)!r} has the content-transfer-encoding {shorten(encoding)!r}"
            raise InvalidRequest(
                f"{told}; parts are taken as they are",
                field="content-transfer-encoding",
                limit="binary",
                value=encoding,
            )
        media_type = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        self._part = Part(name, b"filename" in options or b"filename*" in options, media_type)
        self._check(self._part)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        assert self._part is not None
        self._part.write(memoryview(data)[start:end])

    def on_part_end(self) -> None:
        assert self._part is not None
        self.parts.append(self._part)

    def on_end(self) -> None:
        self.is_whole = True


async def read_parts(request: Request, check: Callable[[Part], None]) -> list[Part]:
    """Read the parts of a body in their order.

    Args:
        request: the request; its body isn't read yet.
        check: called with each part before its content is read; it raises an error if the part isn't taken.

    Raises:
        InvalidRequest: the body is malformed, or ends before its last part does.
        HisegError: what ``check`` raises.
    """
    reader = _Reader(check)
    _, options = parse_options_header(request.headers["content-type"].encode("latin-1"))
    if not (boundary := options.get(b"boundary")):
        raise InvalidRequest("the content type names no boundary", field="body")
    hooks = ("part_begin", "header_begin", "header_field", "header_value", "header_end", "headers_finished")
    try:
        parser = MultipartParser(
            boundary,
            {f"on_{name}": getattr(reader, f"on_{name}") for name in (*hooks, "part_data", "part_end", "end")},  # type: ignore[arg-type]
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        head: bytes | None = b""
        async for piece in request.stream():
            if head is not None:
                head += piece
                if (start := _find_first(head, boundary)) is None:
                    continue
                piece, head = head[start:], None
            parser.write(piece)
    except FormParserError as error:
        raise InvalidRequest(f"the multipart body is malformed: {error}", field="body") from error
    if head:
        raise InvalidRequest(
            "the multipart body has no line with the boundary that the content type names",
            field="body",
            value=boundary.decode("latin-1"),
        )
    if not reader.is_whole:
        raise InvalidRequest("the multipart body ends before its last boundary: it was cut off", field="body")
    return reader.parts


def _find_first(head: bytes, boundary: bytes) -> int | None:
    """Where the first boundary begins, at the beginning of a line; None: not known yet.

    Raises:
        InvalidRequest: it doesn't come, or its line ends with LF alone, as all lines would.
    """
    delimiter = b"--" + boundary
    starts = head.startswith(delimiter)
    found = 0 if starts else head.find(b"\n" + delimiter, 0, MAX_PREAMBLE_BYTES + len(delimiter)) + 1
    if found or starts:
        end = found + len(delimiter)
        if head[end : end + 1] == b"\n":
            raise InvalidRequest("lines of a multipart body end with CR and LF, not with LF alone", field="body")
        return found if end < len(head) else None
    if len(head) > MAX_PREAMBLE_BYTES + len(delimiter):
        raise InvalidRequest(
            f"the multipart body doesn't begin with its boundary, nor within {MAX_PREAMBLE_BYTES} bytes",
            field="body",
            limit=MAX_PREAMBLE_BYTES,
        )
    return None
