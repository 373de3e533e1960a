"""Base64 is read as clients write it: lines broken, padding left out, in the alphabet of URLs, as a ``data:`` URI."""

from __future__ import annotations

import base64
import json
import random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.api.base64_reader import Base64Reader, NotBase64
from hiseg.api.json_reader import LONG, PIECE, LongText, limits_of_options, read_json
from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.body import JsonRequest

LIMITS = limits_of_options(max_boxes=100)


def wrapped(text: str, end: str, width: int = 76) -> str:
    return "".join(text[start : start + width] + end for start in range(0, len(text), width))


def forms(image: bytes) -> dict[str, str]:
    """One image as many clients send it."""
    text = base64.b64encode(image).decode()
    return {
        "plain": text,
        "coreutils": wrapped(text, "\n"),
        "mime": wrapped(text, "\r\n"),
        "pem": wrapped(text, "\n", 64),
        "newline at its end": text + "\n",
        "indented": wrapped(text, "\n    \t"),
        "blanks around": f"  {text} ",
        "url-safe": base64.urlsafe_b64encode(image).decode(),
        "without padding": text.rstrip("="),
        "url-safe without padding": base64.urlsafe_b64encode(image).decode().rstrip("="),
        "canvas": f"data:image/png;base64,{text}",
        "capitals": f"DATA:IMAGE/JPEG;BASE64,{text}",
        "no type": f"data:;base64,{text}",
        "parameters": f"data:image/jpeg;name=a.jpg;charset=utf-8;base64,{text}",
        "blank after the comma": f"data:image/jpeg;base64, {text}",
        "uri of lines": "data:image/jpeg;base64," + wrapped(text, "\r\n"),
        "quoted": "data:image/jpeg;base64," + quote(text, safe=""),
        "quoted with lines": "data:image/jpeg;base64," + quote(wrapped(text, "\n"), safe=""),
    }


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1000, 50_000, 200_001])
def test_every_form_gives_the_image(size: int) -> None:
    image = random.Random(size).randbytes(size)
    for name, text in forms(image).items():
        for body in (json.dumps({"image": text}), json.dumps({"image": text}).replace("/", "\\/")):
            found = read_json(JsonRequest, body.encode(), LIMITS)
            assert found.image.decode_base64() == image, name


@pytest.mark.parametrize("size", [LONG, 50_000, 200_001])
def test_line_breaks_that_a_shell_put_into_the_json_are_read(size: int) -> None:
    image = random.Random(size).randbytes(size)
    text = wrapped(base64.b64encode(image).decode(), "\n")
    body = f'{{"mode": "binary",\n"image": "{text}"}}'
    assert read_json(JsonRequest, body.encode(), LIMITS).image.decode_base64() == image


@pytest.mark.parametrize("before", [0, 4, 1000, PIECE - 1, PIECE, 3 * PIECE + 2])
@pytest.mark.parametrize("lines", [False, True])
def test_the_error_says_what_is_wrong_and_where(before: int, lines: bool) -> None:
    start = wrapped("A" * before, "\n") if lines else "A" * before
    at = len(start) + 1
    for bad in ("!", "é", "'", "%", "\x00", "\u2028"):
        with pytest.raises(NotBase64, match=f"at character {at}$"):
            LongText(f"{start}{bad}AAAA".encode(), is_escaped=False).decode_base64()
        with pytest.raises(NotBase64, match=f"at character {at}$"):
            LongText(f"{start}{bad}".encode(), is_escaped=False).decode_base64()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AAAAA", "its end is missing"),
        ("A", "its end is missing"),
        ("AAAA=", "more = at its end"),
        ("AAA==", "more = at its end"),
        ("AA===", "more than two ="),
        ("=", "more = at its end"),
        ("AA==AAAA", "goes on after"),
        ("AAA=\nAAAA", "goes on after"),
        ("https://example.com/photo.jpg", "none is fetched"),
        ("file:///photo.jpg", "none is fetched"),
        ("blob:https://example.com/1", "none is fetched"),
        ("photo.jpg", "'.' at character 6"),
        ("data:image/jpeg,%FF%D8", "not in base64"),
        ("data:image/svg+xml;utf8,<svg/>", "not in base64"),
        ("data:image/jpeg;base64", "without a comma"),
        ("data:" + "x" * 300 + ";base64,AAAA", "without a comma"),
        ("data:image/jpeg;base64,AA%41A", "'%' at character 26"),
        ("data:image/jpeg;base64,AAA%3", "'%'"),
    ],
)
def test_what_is_not_base64_is_refused(text: str, words: str) -> None:
    with pytest.raises(NotBase64, match=words):
        LongText(text.encode(), is_escaped=False).decode_base64()


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=30), st.booleans())
def test_pieces_may_end_anywhere(image: bytes, sizes: list[int], is_uri: bool) -> None:
    text = base64.encodebytes(image)
    if is_uri:
        text = quote(text, safe="").encode()
    reader = Base64Reader(seen=20 if is_uri else 0)
    for size in sizes:
        reader.write(text[:size])
        text = text[size:]
    reader.write(text)
    assert reader.finish() == image


@pytest.mark.parametrize("body", ['{"image": "AAAA",\n"mode": "bin\nary"}', '{"image":\n"%s\n' % ("A" * 2000)])
def test_other_texts_have_no_line_breaks(body: str) -> None:
    with pytest.raises(InvalidRequest):
        read_json(JsonRequest, body.encode(), LIMITS)


def test_a_plus_that_became_a_blank_is_seen() -> None:
    image = random.Random(5).randbytes(12_000)
    text = base64.b64encode(image).decode()
    for lost in (text.replace("+", " "), "data:image/png;base64," + text.replace("+", " ")):
        with pytest.raises(NotBase64, match=r"each \+ in it has become a blank"):
            LongText(lost.encode(), is_escaped=False).decode_base64()
    for honest in (wrapped(text, " "), f" {text} ", f"data:image/png;base64, {text}"):  # shells print lines so
        assert LongText(honest.encode(), is_escaped=False).decode_base64() == image
    flat = wrapped(base64.b64encode(bytes(12_000)).decode(), " ")
    assert LongText(flat.encode(), is_escaped=False).decode_base64() == bytes(12_000)


def test_characters_that_nobody_sees_are_told_by_their_number() -> None:
    with pytest.raises(NotBase64, match=r"it has U\+200B at character 5"):
        Base64Reader().write("AAAA\u200bAAAA".encode())
