"""Multipart bodies in pieces of any size, and those that are beyond the limits."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.multipart import MAX_PART_HEADER_BYTES, MAX_PART_HEADERS, Part, read_parts

DISPOSITION = b'Content-Disposition: form-data; name="%s"'
FILE = DISPOSITION % b"image" + b'; filename="a"\r\n'
END = b"--x--\r\n"


def part(headers: bytes, content: bytes = b"abc") -> bytes:
    return b"--x\r\n" + headers + b"\r\n" + content + b"\r\n"


def read(
    body: bytes, sizes: list[int] | None = None, content_type: str = "multipart/form-data; boundary=x"
) -> dict[str, Part]:
    pieces = []
    for size in sizes or []:
        pieces.append(body[:size])
        body = body[size:]
    pieces = [*pieces, body, b""]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    scope = {"type": "http", "headers": [(b"content-type", content_type.encode())], "path": "/", "method": "POST"}
    return asyncio.run(read_parts(Request(scope, receive), ("image", "request")))


@given(
    st.binary(max_size=300) | st.text("\r\n-x", max_size=50).map(str.encode),
    st.lists(st.integers(1, 40), max_size=40),
    st.booleans(),
)
def test_parts_are_the_same_however_the_body_is_cut(image: bytes, sizes: list[int], is_first: bool) -> None:
    if b"--x" in image:
        image = image.replace(b"--x", b"--y")
    parts = [part(FILE + b"content-type: image/jpeg\r\n", image), part(DISPOSITION % b"request" + b"\r\n", b"{}")]
    found = read(b"".join(parts if is_first else parts[::-1]) + END, sizes)
    assert {name: (each.content, each.is_file) for name, each in found.items()} == {
        "image": (image, True),
        "request": (b"{}", False),
    }


def test_what_has_no_end_is_no_part() -> None:
    assert read(part(FILE)[:-2]) == {}
    assert read(b"") == {}
    assert set(read(part(FILE) + b"--x\r\nContent-Dis")) == {"image"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (part(FILE) * 2 + END, "body"),
        (part(DISPOSITION % b"photo" + b"\r\n"), "photo"),
        (part(b"a: b\r\n"), ""),
        (part(FILE + b"a: b\r\n" * MAX_PART_HEADERS), "body"),
        (part(FILE + b"a: " + b"b" * MAX_PART_HEADER_BYTES + b"\r\n"), "body"),
        (part(FILE + b"a" * MAX_PART_HEADER_BYTES + b": b\r\n"), "body"),
        (part(b"\x00: b\r\n"), "body"),
        (b"--y\r\n", "body"),
    ],
)
def test_bodies_beyond_the_limits_are_refused(body: bytes, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(body)
    assert refused.value.field == field


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_a_boundary_is_needed_and_is_short(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        read(part(FILE), content_type=content_type)
