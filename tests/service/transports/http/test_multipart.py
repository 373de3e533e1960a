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
TYPE = "multipart/form-data; boundary=x"


def part(headers: bytes, content: bytes = b"abc") -> bytes:
    return b"--x\r\n" + headers + b"\r\n" + content + b"\r\n"


def request(body: bytes, sizes: list[int] | None = None, content_type: str = TYPE, query: bytes = b"") -> Request:
    pieces = []
    for size in sizes or []:
        pieces.append(body[:size])
        body = body[size:]
    pieces = [*pieces, body, b""]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "headers": headers, "path": "/", "method": "POST", "query_string": query}, receive)


def read(body: bytes, sizes: list[int] | None = None, content_type: str = TYPE) -> list[Part]:
    return asyncio.run(read_parts(request(body, sizes, content_type), lambda _: None))


@given(
    st.binary(max_size=300) | st.text("\r\n-x", max_size=50).map(str.encode),
    st.lists(st.integers(1, 40), max_size=40),
    st.booleans(),
    st.booleans(),
)
def test_parts_are_the_same_however_the_body_is_cut(
    image: bytes, sizes: list[int], is_first: bool, has_more: bool
) -> None:
    if b"--x" in image:
        image = image.replace(b"--x", b"--y")
    parts = [part(FILE + b"content-type: image/JPEG\r\n", image), part(DISPOSITION % b"request" + b"\r\n", b"{}")]
    order = parts if is_first else parts[::-1]
    before, after = b"preamble -- \r\n" * has_more, b"\r\nepilogue\r\n--x" * has_more
    found = {each.name: each for each in read(before + b"".join(order) + END + after, sizes)}
    assert {name: (each.content, each.has_filename, each.media_type) for name, each in found.items()} == {
        "image": (image, True, "image/jpeg"),
        "request": (b"{}", False, ""),
    }


@given(st.integers(1, 200), st.lists(st.integers(1, 40), max_size=40))
def test_a_body_that_ends_in_the_middle_is_no_request(missing: int, sizes: list[int]) -> None:
    whole = part(FILE, b"abc\r\n--y") + part(DISPOSITION % b"request" + b"\r\n", b"{}") + b"--x--"
    with pytest.raises(InvalidRequest) as refused:
        read(whole[:-missing], sizes)
    assert refused.value.field == "body"


@pytest.mark.parametrize(
    "headers",
    [
        b'content-disposition: form-data; name="image"',
        b"CONTENT-DISPOSITION: form-data; name=image",
        b'Content-disposition:form-data;name="image";filename=""',
        b"Content-Disposition: form-data; name=\"image\"; filename*=utf-8''%D1%84.jpg",
        b'Content-Disposition: form-data; filename="a\\"b.jpg"; name="image"',
        'Content-Disposition: form-data; name="image"; filename="фото.jpg"'.encode(),
        b'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="image"',
        b'Content-Disposition: form-data; name="image"\r\nContent-Transfer-Encoding: BINARY\r\nContent-Length: 3',
    ],
)
def test_a_part_is_known_by_its_name_alone(headers: bytes) -> None:
    assert [(each.name, each.content) for each in read(part(headers + b"\r\n") + END)] == [("image", b"abc")]


@pytest.mark.parametrize("boundary", ['"x"', "x; charset=utf-8", 'x;charset="utf-8"', " x"])
def test_a_boundary_may_be_quoted(boundary: str) -> None:
    assert len(read(part(FILE) + END, content_type=f"multipart/form-data; boundary={boundary}")) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (part(FILE), "body"),
        (part(FILE)[:-2], "body"),
        (part(FILE) + b"--x\r\nContent-Dis", "body"),
        (part(FILE + b"a: b\r\n" * MAX_PART_HEADERS) + END, "body"),
        (part(FILE + b"a: " + b"b" * MAX_PART_HEADER_BYTES + b"\r\n") + END, "body"),
        (part(FILE + b"a" * MAX_PART_HEADER_BYTES + b": b\r\n") + END, "body"),
        (part(b"\x00: b\r\n") + END, "body"),
        (b"--y\r\n", "body"),
        ((part(FILE) + END).replace(b"\r\n", b"\n"), "body"),
        (b"p" * 5000 + b"\r\n" + part(FILE) + END, "body"),
        (part(FILE + b"Content-Transfer-Encoding: base64\r\n") + END, "content-transfer-encoding"),
        (part(FILE + b"content-transfer-encoding: Quoted-Printable\r\n") + END, "content-transfer-encoding"),
    ],
)
def test_bodies_that_are_half_understood_are_refused(body: bytes, field: str) -> None:
    for sizes in ([], [1] * 200):
        with pytest.raises(InvalidRequest) as refused:
            read(body, sizes)
        assert refused.value.field == field


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_a_boundary_is_needed_and_is_short(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        read(part(FILE), content_type=content_type)
