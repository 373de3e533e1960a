"""JSON of callers is measured before it is parsed: images aren't parsed at all, and what is too much is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from hiseg.api.base64_reader import NotBase64
from hiseg.api.json_reader import PIECE, CutTexts, JsonLimits, LongText, cut_long_texts, limits_of_options, read_json
from hiseg.core.errors import HisegError, InvalidRequest, TooLarge
from hiseg.transports.http.body import JsonRequest
from hiseg.transports.http.form import JsonOptions
from hiseg.transports.http.kserve.tensors import InferIn
from hiseg.transports.http.label_studio.tasks import LIMITS as LIMITS_OF_TASKS
from hiseg.transports.http.label_studio.tasks import PredictIn

MEBI = 1024 * 1024
MANY = 1_000_000
LIMITS = limits_of_options(max_boxes=100)


def many(before: str, item: str, after: str, count: int = MANY) -> bytes:
    return (before + ",".join([item] * count) + after).encode()


TASK = '{"label_config":"","tasks":[{"data":{},'


@pytest.mark.parametrize(
    ("model", "text", "limits"),
    [
        (InferIn, many('{"inputs":[', "0", "]}"), LIMITS),
        (InferIn, many('{"inputs":[],"outputs":[', "{}", "]}"), LIMITS),
        (InferIn, many('{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":[', "0", "]}]}"), LIMITS),
        (JsonOptions, many('{"boxes":[[', "0", "]]}"), LIMITS),
        (JsonOptions, many('{"boxes":[', "[]", "]}"), LIMITS),
        (JsonOptions, many('{"boxes":[[', '""', "]]}"), LIMITS),
        (JsonOptions, many("{", '"variant":"b0"', "}"), LIMITS),
        (JsonRequest, b'{"image":"' + b"[" * MANY, LIMITS),
        (JsonRequest, b'{"image":"' + b'\\"' * MANY + b'"}', LIMITS),
        (JsonRequest, b'{"image":"' + b"\\" * MANY + b'"}', LIMITS),
        (JsonRequest, b'{"image":"","dilation_px":1' + b"0" * MANY + b"}", LIMITS),
        (JsonRequest, b" " * MANY + b'{"image":""}', LIMITS),
        (JsonRequest, b'{"image":"","boxes":' + b"[" * MANY + b"]" * MANY + b"}", LIMITS),
        (JsonRequest, b'{"' + b"x" * MANY + b'":0}', LIMITS),
        (JsonRequest, b'{"image":"","variant":"' + b"x" * MANY + b'"}', LIMITS),
        (JsonRequest, b'{"image":"","variant":"' + b"\xed\xa0\x80" * MANY + b'"}', LIMITS),
        (PredictIn, many('{"label_config":"","tasks":[', "0", "]}"), LIMITS_OF_TASKS),
        (PredictIn, many('{"label_config":"","tasks":[', '{"data":{}}', "]}"), LIMITS_OF_TASKS),
        (PredictIn, many('{"label_config":"","tasks":[', '{"data":{}}', "]}", 1001), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"annotations":[', "0", "]}]}"), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"annotations":[', "{}", "]}]}", 101), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"annotations":[{"result":[', "{}", "]}]}]}"), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"annotations":[{"result":[', "{}", "]}]}]}", 1001), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"annotations":[{"result":[', "1", "]}]}]}", 10_000), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"predictions":[', "0", "]}]}"), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"predictions":[{"result":[{"value":{"rle":[', "{}", "]}}]}]}]}"), LIMITS_OF_TASKS),
        (PredictIn, many(TASK + '"predictions":[{"result":[{"value":{"points":[', "1", "]}}]}]}]}"), LIMITS_OF_TASKS),
    ],
)
def test_a_million_values_take_little_memory(model: type[BaseModel], text: bytes, limits: JsonLimits) -> None:
    tracemalloc.start()
    with pytest.raises((TooLarge, InvalidRequest)) as raised:
        read_json(model, text, limits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MEBI
    assert len(raised.value.detail) <= 500
    assert len(json.dumps(raised.value.value)) <= 500
    if isinstance(raised.value, TooLarge):
        assert raised.value.field
        assert raised.value.limit


@pytest.mark.parametrize("indent", [None, 8])
@pytest.mark.parametrize("max_boxes", [1, 100, 5000])
def test_all_the_boxes_that_are_taken_are_read(max_boxes: int, indent: int | None) -> None:
    rows = [[random.random() * 1e4 for _ in range(4)] for _ in range(max_boxes)]
    text = json.dumps({"boxes": rows, "mode": "instance"}, indent=indent).encode()
    assert read_json(JsonOptions, text, limits_of_options(max_boxes)).boxes == rows


def test_one_error_is_told_of_many_wrong_names() -> None:
    text = json.dumps({"image": ""} | {f"name{index}": 0 for index in range(200)}).encode()
    with pytest.raises(InvalidRequest) as raised:
        read_json(JsonRequest, text, LIMITS)
    assert raised.value.field == "name0"


def decoded(text: LongText) -> bytes:
    return asyncio.run(text.from_base64())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, PIECE, 2 * PIECE + 1, 7 * PIECE + 2])
def test_images_are_decoded_however_json_writes_them(size: int) -> None:
    image = random.Random(size).randbytes(size)
    plain = base64.b64encode(image).decode()
    # PHP escapes each slash, and .NET each plus sign.
    for text in (plain, plain.replace("/", "\\/"), plain.replace("+", "\\u002B").replace("/", "\\/")):
        body = b'{"mode":"binary","image":"%b","boxes":[[1,2,3,4]]}' % text.encode()
        found = read_json(JsonRequest, body, LIMITS)
        assert decoded(found.image) == image
        assert (found.mode, found.boxes) == ("binary", [[1, 2, 3, 4]])


@pytest.mark.parametrize("bad", ["!", "=", "A=A=", "\\u00e9", "\\\\", "\\q", "é", "\\ud800"])
@pytest.mark.parametrize("after", ["", "A" * 2 * PIECE])
def test_a_long_text_that_is_not_base64_is_refused(bad: str, after: str) -> None:
    body = '{"image":"%s"}' % ("A" * 4 * PIECE + bad + after)
    image = read_json(JsonRequest, body.encode(), LIMITS).image
    with pytest.raises(NotBase64):
        decoded(image)


@given(st.integers(0, 2 * PIECE), st.sampled_from(["\\/", "\\u002b", "\\u0041"]), st.integers(0, 8))
@example(PIECE - 3, "\\u002b", 4)
def test_escapes_are_not_cut_in_two(before: int, escape: str, after: int) -> None:
    escaped = "A" * before + escape * after
    plain = json.loads(f'"{escaped}"')
    plain += "A" * (-len(plain) % 4)
    text = LongText((escaped + "A" * (-len(json.loads(f'"{escaped}"')) % 4)).encode(), is_escaped=True)
    assert text.decode_base64() == base64.b64decode(plain)


def test_the_numbers_of_brush_masks_are_not_read() -> None:
    numbers = [index % 256 for index in range(500_000)]
    region = {"type": "brushlabels", "value": {"format": "rle", "rle": numbers, "brushlabels": ["Person"]}}
    rectangle = {"type": "rectangle", "value": {"x": 1}}
    image = "data:image/jpeg;base64," + "A" * 2 * MEBI
    task = {"data": {"image": image}, "annotations": [{"result": [region, rectangle, region]}]}
    body = json.dumps({"tasks": [task, task], "label_config": "<View/>" + " " * 2000}).encode()
    tracemalloc.start()
    found = read_json(PredictIn, body, LIMITS_OF_TASKS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MEBI
    for parsed in found.tasks:
        assert parsed.annotations
        assert [item["value"].get("rle") for item in parsed.annotations[0].result] == [[], None, []]
        assert parsed.annotations[0].result[1] == rectangle
        assert parsed.data["image"].decode_base64() == bytes(3 * MEBI // 2)
    assert found.label_config.text(3000) == "<View/>" + " " * 2000


def test_an_object_that_looks_like_a_cut_text_is_a_text_of_the_same_caller_or_none() -> None:
    long = "A" * 2000
    body = json.dumps({"image": {"": 1}, "variant": "b0", "mode": "instance", "boxes": []}).encode()
    with pytest.raises(InvalidRequest, match="image: it should be a text"):
        read_json(JsonRequest, body, LIMITS)
    padded = b'{"mode":"' + long.encode() + b'","image":{"":0}' + b" " * LIMITS.max_bytes + b"}"
    with pytest.raises(HisegError):
        read_json(JsonRequest, padded, LIMITS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just('"\\' * 600),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
SMALL = JsonLimits(max_bytes=40, max_texts=1000, max_values=1000)


@given(st.dictionaries(st.text(), JSON), st.booleans())
def test_what_remains_of_json_is_the_same_json_without_its_long_texts(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    texts = CutTexts()
    remaining = cut_long_texts(text, JsonLimits(10**9, 10**6, 10**6), texts)

    def restore(node: Any) -> Any:
        if isinstance(node, dict):
            index = node.get("")
            if len(node) == 1 and type(index) is int and 0 <= index < len(texts) and restored.append(index) is None:
                return texts[index].text(10**6)
            return {key: restore(item) for key, item in node.items()}
        return [restore(item) for item in node] if isinstance(node, list) else node

    restored: list[int] = []
    found = restore(json.loads(remaining))
    assert found == value or len(restored) > len(texts)  # the caller wrote such an object himself


REQUEST = json.dumps({"image": "QUJD" * 400, "boxes": [[1, 2, 3, 4.5]], "variant": "b0", "normalized": True}).encode()
INFER = json.dumps(
    {
        "id": "a",
        "inputs": [
            {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["QUJD" * 400]},
            {"name": "boxes", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]},
        ],
        "outputs": [{"name": "masks", "parameters": {"binary_data": True}}],
    }
).encode()
PREDICT = json.dumps(
    {
        "tasks": [{"data": {"image": "data:" + "A" * 1500}, "annotations": [{"result": [{"type": "rectangle"}]}]}],
        "label_config": "<View/>",
        "params": {"context": {"result": [{"value": {"rle": list(range(500))}}]}},
    }
).encode()


@given(
    st.sampled_from([(JsonRequest, REQUEST), (InferIn, INFER), (PredictIn, PREDICT)]),
    st.integers(0, 5000),
    st.integers(0, 20),
    st.sampled_from([b"", b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"null", b"1e999", b"\xff", b"\x00", b"-"])
    | st.binary(max_size=8),
    st.sampled_from([LIMITS, LIMITS_OF_TASKS, SMALL, JsonLimits(700, 1000, 1000)]),
)
def test_mutated_json_gives_a_request_or_a_short_error(
    case: tuple[type[BaseModel], bytes], at: int, cut: int, put: bytes, limits: JsonLimits
) -> None:
    model, text = case
    at %= len(text)
    error: HisegError | None = None
    try:
        read_json(model, text[:at] + put + text[at + cut :], limits)
    except HisegError as raised:
        error = raised
    told = error and [error.detail, error.field, error.value, error.limit]
    assert len(json.dumps(told, allow_nan=False)) < 4000


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_mark_before_utf8_is_no_part_of_the_json(size: int) -> None:
    text = json.dumps({"image": "A" * 4 * size, "boxes": [[1, 2, 3, 4]]})
    found = read_json(JsonRequest, text.encode("utf-8-sig"), LIMITS)
    assert (found.boxes, found.image.decode_base64()) == ([[1, 2, 3, 4]], bytes(3 * size))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_other_encodings_are_named(encoding: str, size: int) -> None:
    text = json.dumps({"image": "A" * size}).encode(encoding)
    with pytest.raises(InvalidRequest, match=f"in {encoding[:6].upper()}; it has to be plain UTF-8"):
        read_json(JsonRequest, text, LIMITS)


@pytest.mark.parametrize(("body", "words"), [(b"\xff\xd8\xff\xe0", "a JPEG image"), (b"\x1f\x8b\x08", "gzip")])
def test_what_is_no_json_at_all_is_named(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_json(JsonRequest, body, LIMITS)
