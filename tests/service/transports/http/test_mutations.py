"""Whatever is changed in a body, reading it gives a request or an error that quotes little of it; nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg.api.options import Options
from hiseg.core.errors import HisegError
from hiseg.transports.http.body import read_request
from hiseg.transports.http.kserve.infer import read_infer_request
from hiseg.transports.http.kserve.tensors import HEADER_LENGTH
from hiseg.transports.http.label_studio.routes import read_predict, read_setup
from hiseg.transports.http.label_studio.tasks import Task, rectangles_of

IMAGE = base64.b64encode(bytes(1500)).decode()
CONFIG = (
    '<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i"><Label value="p"/></BrushLabels></View>'
)
SEGMENT = {"image": IMAGE, "boxes": [[1, 2, 3, 4.5], [0, 0, 1e3, 7]], "variant": "b0", "normalized": True}
VALUE = {"x": 1, "y": 2, "width": 3, "height": 4.5, "rotation": 0, "rectanglelabels": ["p"]}
REGION = {"type": "rectanglelabels", "to_name": "i", "original_width": 10, "original_height": 10, "value": VALUE}
PREDICT = {
    "tasks": [{"data": {"image": "data:image/png;base64," + IMAGE}, "annotations": [{"result": [REGION]}]}],
    "label_config": CONFIG,
    "params": {"context": {"result": [REGION, {"value": {"rle": [255] * 600}}]}},
}
BOXES = {"name": "boxes", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}
INFER = {
    "id": "a",
    "parameters": {"timeout": 1000, "priority": 2},
    "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [IMAGE]}, BOXES],
    "outputs": [{"name": "masks", "parameters": {"binary_data": True}}],
}
BINARY = [
    {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 12}},
    {"name": "boxes", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
]
BLOBS = struct.pack("<I8s4f", 8, b"12345678", 1, 2, 3, 4)
PART = b'--x\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
FORM = (
    PART % (b"image", b'; filename="a"', b"123")
    + PART % (b"request", b"", json.dumps({"boxes": [[1, 2, 3, 4]], "threshold": 0.3}).encode())
    + b"--x--\r\n"
)
DOCUMENTS: dict[str, Any] = {"json": SEGMENT, "infer": INFER, "predict": PREDICT, "setup": {"schema": CONFIG}}
SCALARS = st.sampled_from([None, True, -1, 0, 2**31, 10**400, 1.5, 1e300, "", "\x00", "x" * 2000, "é", "$image"])
VALUES = SCALARS | st.sampled_from([[], {}, [[]], [None], {"": 0}, {"a": {"b": []}}, ["x"] * 300, [[[[1]]]], [1] * 500])
PUT = st.sampled_from(
    [b"", b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"null", b"1e999", b"\xff", b"\x00", b"\r\n"]
)


async def read_tasks(request: Request) -> object:
    """Read a request for predictions as far as it is read without its images."""
    body, labelling = await read_predict(request)
    read = []
    for task in body.tasks:
        if not isinstance(task, Task):
            raise task
        own = labelling.of_task(task.data)
        images, notes = rectangles_of(task, body.params, own, 100)
        read.append((notes, [(image, image.read()) for image in images]))
    return read


Read = Callable[[Request], Awaitable[object]]
JSON = "application/json"
READERS: dict[str, tuple[Read, bytes, dict[str, str]]] = {
    "json": (partial(read_request, max_boxes=100), json.dumps(SEGMENT).encode(), {"content-type": JSON}),
    "form": (partial(read_request, max_boxes=100), FORM, {"content-type": "multipart/form-data; boundary=x"}),
    "infer": (partial(read_infer_request, max_boxes=100, has_masks=True), json.dumps(INFER).encode(), {}),
    "binary": (
        partial(read_infer_request, max_boxes=100, has_masks=True),
        (header := json.dumps({"inputs": BINARY}).encode()) + BLOBS,
        {HEADER_LENGTH.lower(): str(len(header))},
    ),
    "predict": (read_tasks, json.dumps(PREDICT).encode(), {}),
    "setup": (read_setup, json.dumps({"schema": CONFIG}).encode(), {}),
}


def read(read_body: Read, body: bytes, headers: dict[str, str]) -> object:
    """What reading a body gives: the request, or what the error says."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw, "app": None}
    try:
        return asyncio.run(read_body(Request(scope, receive)))  # type: ignore[arg-type]
    except HisegError as error:
        return [error.detail, error.field, error.value, error.limit]


def check(found: object) -> None:
    if isinstance(found, list) and len(found) == 4 and isinstance(found[0], str):
        assert len(json.dumps(found, allow_nan=False)) < 4000


def test_the_bodies_themselves_are_taken() -> None:
    for reader, body, headers in READERS.values():
        found = read(reader, body, headers)
        assert not (isinstance(found, list) and isinstance(found[0], str)), found


@settings(deadline=None)
@given(st.sampled_from(list(READERS)), st.integers(0, 10_000), st.integers(0, 20), PUT | st.binary(max_size=8))
def test_changed_bytes(kind: str, at: int, cut: int, put: bytes) -> None:
    reader, body, headers = READERS[kind]
    at %= len(body)
    check(read(reader, body[:at] + put + body[at + cut :], headers))


def places(node: Any) -> list[tuple[Any, Any]]:
    """All places in a JSON document: the container and the key or index."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, item in items for place in ((node, key), *places(item))]


@settings(deadline=None)
@given(
    st.sampled_from(list(DOCUMENTS)),
    st.lists(st.tuples(st.integers(0, 10_000), VALUES), min_size=1, max_size=3),
)
def test_changed_values(kind: str, changes: list[tuple[int, Any]]) -> None:
    changed = json.loads(json.dumps(DOCUMENTS[kind]))
    for number, value in changes:
        found = places(changed)
        container, key = found[number % len(found)]
        container[key] = json.loads(json.dumps(value))
    reader, _, headers = READERS[kind]
    check(read(reader, json.dumps(changed).encode(), headers))


@settings(deadline=None)
@given(
    st.sampled_from(["-1", "0", "7", "99999999999", "1e3", "٣", ""]),
    st.sampled_from([-1, 0, 1, 2**40, 10**400, 1.5, "12", None, [12]]),
    st.lists(st.sampled_from([0, 1, 4, 101, -1, 2**31 - 1, 2**31, 10**30]), max_size=9),
)
def test_sizes_of_binary_tensors(header_length: str, size: object, shape: list[int]) -> None:
    reader, _, _ = READERS["binary"]
    for index in (0, 1):
        tensors = json.loads(json.dumps(BINARY))
        tensors[index]["parameters"]["binary_data_size"] = size
        tensors[index]["shape"] = shape
        text = json.dumps({"inputs": tensors}).encode()
        check(read(reader, text + BLOBS, {HEADER_LENGTH.lower(): str(len(text))}))
        check(read(reader, text + BLOBS, {HEADER_LENGTH.lower(): header_length}))


def test_options_have_no_text_without_a_length() -> None:
    texts = [name for name, field in Options.model_fields.items() if field.annotation == (str | None)]
    assert texts == ["variant", "model"]
    longest = {name: Options.model_json_schema()["properties"][name]["anyOf"][0]["maxLength"] for name in texts}
    assert longest == {"variant": 40, "model": 255}


@pytest.mark.parametrize("kind", ["json", "infer", "binary", "form"])
def test_of_a_request_that_was_read_nothing_is_held_but_its_image(kind: str) -> None:
    reader, body, headers = READERS[kind]
    image = bytes(3_000_000)
    if kind == "binary":
        tensors = json.loads(json.dumps(BINARY))
        tensors[0]["parameters"]["binary_data_size"] = len(image) + 4
        text = json.dumps({"inputs": tensors}).encode()
        body = text + struct.pack("<I", len(image)) + image + BLOBS[12:]
        headers = {HEADER_LENGTH.lower(): str(len(text))}
    elif kind == "form":
        body = body.replace(b"123", image)
    else:
        body = body.replace(IMAGE.encode(), base64.b64encode(image))
    tracemalloc.start()
    found = read(reader, body, headers)
    del body
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert getattr(found, "image", b"") == image
    assert held < 1.1 * len(image)
