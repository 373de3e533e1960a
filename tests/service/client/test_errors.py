"""The client raises the right exception for each error of the real service."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server
from hiseg.client import (
    ClientError,
    InvalidRequest,
    RawFrame,
    TooLarge,
    UndecodableImage,
    UnexpectedAnswer,
    UnsupportedImage,
)
from tests.service.client.calls import KINDS, call, segment

PNG = b"\x89PNG\r\n\x1a\n"
BOX = [1, 2, 30, 40]
CASES: dict[str, tuple[Any, Any, dict[str, Any], type[ClientError], int, str]] = {
    "reversed box": (SAMPLE, [BOX, [9, 9, 1, 1]], {}, InvalidRequest, 422, "boxes[1]"),
    "not finite": (SAMPLE, [[1, 2, 3, float("nan")]], {}, InvalidRequest, 422, "boxes[0]"),
    "threshold": (SAMPLE, [BOX], {"threshold": 1.5}, InvalidRequest, 422, "threshold"),
    "variant": (SAMPLE, [BOX], {"variant": "b9"}, InvalidRequest, 422, "variant"),
    "too many boxes": (SAMPLE, [BOX] * 101, {}, TooLarge, 413, "boxes"),
    "type": (b"GIF89a", [BOX], {}, UnsupportedImage, 415, "image"),
    "broken": (PNG + b"junk", [BOX], {}, UndecodableImage, 422, "image"),
    "empty": (b"", [BOX], {}, UndecodableImage, 422, "image"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_errors_over_http(server: Server, kind: str, case: str) -> None:
    image, boxes, options, expected, status, field = CASES[case]
    with pytest.raises(ClientError) as caught:
        segment(kind, server.url, image, boxes, **options)
    error = caught.value
    assert type(error) is expected
    assert isinstance(error, InvalidRequest)
    assert (error.status, error.code, error.field) == (status, None, field)
    assert not error.retryable


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_errors_over_grpc(server: Server, kind: str, case: str) -> None:
    image, boxes, options, _, _, field = CASES[case]
    with pytest.raises(InvalidRequest) as caught:
        segment(kind, server.grpc, image, boxes, **options)
    assert (caught.value.status, caught.value.code, caught.value.field) == (None, "INVALID_ARGUMENT", field)


def test_errors_have_the_limit_and_the_value(server: Server) -> None:
    with pytest.raises(TooLarge) as caught:
        segment("sync", server.url, SAMPLE, [BOX] * 101)
    assert (caught.value.limit, caught.value.value) == (100, 101)
    assert "101 boxes" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["mode", "box_format", "priority"])
def test_unknown_option_values_name_the_option(server: Server, kind: str, option: str) -> None:
    for url in (server.url, server.grpc):
        with pytest.raises(InvalidRequest, match=option) as caught:
            segment(kind, url, SAMPLE, [BOX], **{option: "nonsense"})
        assert caught.value.field == option


def test_a_message_that_grpc_itself_refuses(server: Server) -> None:
    with pytest.raises(TooLarge, match="larger") as caught:
        segment("sync", server.grpc, b"x" * 23_000_000, [])
    assert caught.value.code == "RESOURCE_EXHAUSTED"


def test_raw_frames_whose_size_does_not_fit(server: Server) -> None:
    with pytest.raises(InvalidRequest) as caught:
        segment("sync", server.grpc, RawFrame("nv12", 3, 3, b"123"), [])
    assert caught.value.field
    with pytest.raises(InvalidRequest, match="pixel_format: 'yuv' is none of rgb24, bgr24, nv12"):
        segment("sync", server.grpc, RawFrame("yuv", 2, 2, b"123456"), [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_path_is_an_unexpected_answer(server: Server, kind: str) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        call(kind, server.url + "/elsewhere", "info")
    assert caught.value.status == 404


def test_the_port_of_the_other_transport(server: Server) -> None:
    with pytest.raises(ClientError):
        call("sync", server.grpc.replace("grpc", "http"), "info", settings={"retries": 0})
    with pytest.raises(ClientError):
        call("sync", server.url.replace("http", "grpc"), "info", settings={"retries": 0})


def test_errors_cross_processes() -> None:
    error = pickle.loads(pickle.dumps(TooLarge("too many", status=413, field="boxes", limit=1, value=2)))
    assert (type(error), str(error), error.status, error.field) == (TooLarge, "too many", 413, "boxes")
