"""Reads multipart bodies into memory, within limits.

Starlette's own reader writes larger parts to disk, in threads, where nobody counts them.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hiseg.core.errors import InvalidRequest, shorten

MAX_PART_HEADERS = 8
"""Most headers of a part."""
MAX_PART_HEADER_BYTES = 4096
"""Most bytes of a header of a part."""
# It writes a line about each malformed body, as often as callers like.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Part:
    """One part of a body.

    Attributes:
        name: the part's name.
        is_file: it has the name of a file.
        content: its bytes.
    """

    def __init__(self, name: str, is_file: bool) -> None:
        self.name = name
        self.is_file = is_file
        self._buffer = io.BytesIO()

    def write(self, data: memoryview) -> None:
        """Add to the content."""
        self._buffer.write(data)

    @property
    def content(self) -> bytes:
        return self._buffer.getvalue()


class _Reader:
    """Collects the parts that the parser finds."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.parts: dict[str, Part] = {}
        self._part: Part | None = None
        self._field, self._value = b"", b""
        self._disposition = b""

    def on_part_begin(self) -> None:
        self._disposition = b""

    def on_header_begin(self) -> None:
        self._field, self._value = b"", b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in self._names:
            raise InvalidRequest(f"unknown part {shorten(name)!r}", field=name, limit=sorted(self._names))
        if name in self.parts:
            raise InvalidRequest(f"there is more than one part {name!r}", field="body")
        self._part = Part(name, b"filename" in options or b"filename*" in options)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        assert self._part is not None
        self._part.write(memoryview(data)[start:end])

    def on_part_end(self) -> None:
        assert self._part is not None
        self.parts[self._part.name] = self._part


async def read_parts(request: Request, names: Collection[str]) -> dict[str, Part]:
    """Read the parts of a body, each of which may be there once, by name; what isn't complete is left out.

    Args:
        request: the request; its body isn't read yet.
        names: of the parts that may be there.

    Raises:
        InvalidRequest: the body is malformed, or has other parts.
    """
    reader = _Reader(names)
    _, options = parse_options_header(request.headers["content-type"].encode("latin-1"))
    if not (boundary := options.get(b"boundary")):
        raise InvalidRequest("the content type names no boundary", field="body")
    hooks = ("part_begin", "header_begin", "header_field", "header_value", "header_end", "headers_finished")
    try:
        parser = MultipartParser(
            boundary,
            {f"on_{name}": getattr(reader, f"on_{name}") for name in (*hooks, "part_data", "part_end")},  # type: ignore[arg-type]
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        async for piece in request.stream():
            parser.write(piece)
    except FormParserError as error:
        raise InvalidRequest(f"the multipart body is malformed: {error}", field="body") from error
    return reader.parts
