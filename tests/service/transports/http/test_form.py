"""Forms: options in one place, each once, and whatever is called otherwise is told of."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError, InvalidRequest, TooLarge
from hiseg.core.job import Mode
from hiseg.transports.http.body import SegmentRequest, read_request
from tests.service.transports.http.test_multipart import DISPOSITION, END, FILE, part, request

IMAGE = part(FILE)
ROWS = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.5, 7.0, 8.0]]


def field(name: str, text: str | bytes, more: bytes = b"") -> bytes:
    content = text.encode() if isinstance(text, str) else text
    return part(DISPOSITION % name.encode() + more + b"\r\n", content)


def ask(*parts: bytes, query: str = "") -> SegmentRequest:
    return asyncio.run(read_request(request(b"".join(parts) + END, query=query.encode()), max_boxes=100))


@pytest.mark.parametrize(
    "parts",
    [
        [field("boxes", "1,2,3,4;5,6.5,7,8")],
        [field("boxes", "1,2,3,4"), field("boxes", "5,6.5,7,8")],
        [field("boxes", "[[1,2,3,4],[5,6.5,7,8]]")],
        [field("boxes", "[1, 2, 3, 4]"), field("boxes", "[5, 6.5, 7, 8]")],
        [field("boxes", " 1, 2, 3, 4 ;\n 5 6.5 7 8 ; ")],
        [field("boxes", "1,2,3,4\r\n5,6.5,7,8\r\n")],
        [field("request", '{"boxes":[[1,2,3,4],[5,6.5,7,8]]}')],
        [
            field(
                "request", '{"boxes":[[1,2,3,4],[5,6.5,7,8]]}', b'; filename="blob"\r\nContent-Type: application/json'
            ),
        ],
    ],
)
def test_boxes_in_any_plain_form_are_all_of_them_in_order(parts: list[bytes]) -> None:
    assert ask(IMAGE, *parts).boxes == ask(*parts, IMAGE).boxes == ROWS


def test_options_are_fields_of_their_names() -> None:
    found = ask(field("threshold", "0.9"), IMAGE, field("mode", "binary"), field("deadline_ms", "100"))
    assert (found.options.threshold, found.options.mode, found.options.deadline_ms) == (0.9, Mode.BINARY, 100)
    assert found.image == b"abc"
    assert ask(IMAGE, field("mode", "binary"), query="deadline_ms=5").boxes is None


@pytest.mark.parametrize(
    ("parts", "query", "name", "told"),
    [
        ([], "boxes=1,2,3,4", "boxes", "in the query"),
        ([], "boxes=1,2,3,4&threshold=0.9", "boxes", "in the query"),
        ([field("boxes", "1,2,3,4")], "threshold=0.9", "threshold", "in the query"),
        ([field("boxes", "1,2,3,4")], "Threshold=0.9", "Threshold", "in the query"),
        ([field("boxes", "1,2,3,4")], "colour=1", "colour", "no such name"),
        ([field("boxes", "1,2,3,4")], "deadline_ms=1&deadline_ms=1", "deadline_ms", "twice"),
        ([field("boxes", "1,2,3,4")], "deadline_ms=soon", "deadline_ms", "number"),
        ([field("boxes", "1,2,3,4"), field("deadline_ms", "9")], "deadline_ms=9", "deadline_ms", "in the body"),
        ([field("request", '{"deadline_ms":9,"boxes":[]}')], "deadline_ms=9", "deadline_ms", "in the body"),
        ([field("request", "")], "", "request", "JSON"),
        ([field("boxes", "1,2,3,4"), field("request", "{}")], "", "boxes", "one place"),
        ([field("request", "{}"), field("threshold", "0.9")], "", "threshold", "one place"),
        ([field("threshold", "0.9"), field("threshold", "0.9")], "", "threshold", "more than one part"),
        ([field("request", "{}"), field("request", "{}")], "", "request", "more than one part"),
        ([IMAGE, field("boxes", "1,2,3,4")], "", "image", "one image"),
        ([field("box", "1,2,3,4")], "", "box", "did you mean 'boxes'?"),
        ([field("boxes[]", "1,2,3,4")], "", "boxes[]", "did you mean 'boxes'?"),
        ([field("Boxes", "1,2,3,4")], "", "Boxes", "did you mean 'boxes'?"),
        ([field("colour", "1")], "", "colour", "no such name"),
        ([field("file", "abc", b'; filename="a.jpg"')], "", "file", "has to be called 'image'"),
        ([field("image2", "abc", b'; filename="a.jpg"')], "", "image2", "has to be called 'image'"),
        ([field("image_file", "abc")], "", "image_file", "has to be called 'image'"),
        ([field("upload", "abc", b"\r\nContent-Type: image/png")], "", "upload", "has to be called 'image'"),
        ([field("", "abc")], "", "body", "no name"),
        ([field("threshold", b"\xff")], "", "threshold", "UTF-8"),
        ([field("threshold", "")], "", "threshold", "number"),
        (
            [
                field("boxes", "[[1,2,3,4]"),
            ],
            "",
            "boxes",
            "JSON",
        ),
        ([field("boxes", '[{"x1":1,"y1":2,"x2":3,"y2":4}]')], "", "boxes[0]", "row"),
        ([field("boxes", "1,2,3,4;;5,6,7,8")], "", "boxes[1]", "semicolons"),
        ([field("boxes", "1,2,3,4|5,6,7,8")], "", "boxes[0]", "semicolons"),
    ],
)
def test_what_is_half_understood_is_told(parts: list[bytes], query: str, name: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ask(IMAGE, *parts, query=query)
    assert refused.value.field == name
    assert told in refused.value.detail


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (field("photo", "abc", b'; filename="a.jpg"'), "has to be called 'image'"),
        (field("boxes", "1,2,3,4"), "no part 'image'"),
        (part(FILE, b""), "no file was chosen"),
        (field("image", "/9j/4AAQSkZJRg=="), "base64"),
        (field("image", "data:image/png;base64,iVBORw0KGgo="), "base64"),
    ],
)
def test_a_form_without_an_image(image: bytes, told: str) -> None:
    with pytest.raises(HisegError, match=told):
        ask(image)


def test_a_form_has_no_more_boxes_or_text_than_json() -> None:
    with pytest.raises(TooLarge) as refused:
        ask(IMAGE, *[field("boxes", "1,2,3,4")] * 101)
    assert (refused.value.field, refused.value.limit, refused.value.value) == ("boxes", 100, 101)
    with pytest.raises(TooLarge):
        ask(IMAGE, field("boxes", "1,2,3,4;" * 101))
    with pytest.raises(TooLarge):
        ask(IMAGE, field("boxes", "1" * 200_000))


@given(st.lists(st.sampled_from(["boxes", "threshold", "mode", "request", "image", "size"]), max_size=6))
def test_a_form_is_taken_whole_or_refused(names: list[str]) -> None:
    texts = {"boxes": "1,2,3,4", "threshold": "0.9", "mode": "binary", "request": '{"boxes":[[1,2,3,4]]}', "size": "1"}
    parts = [IMAGE if name == "image" else field(name, texts[name]) for name in names]
    try:
        found = ask(*parts)
    except InvalidRequest:
        return
    assert names.count("image") == 1
    assert "size" not in names
    assert len(found.boxes or ()) == names.count("boxes") + names.count("request")
    assert (found.options.threshold == 0.9) == ("threshold" in names)
    assert (found.options.mode is Mode.BINARY) == ("mode" in names)
