"""The client raises the right exception for each error of the real service."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server
from hiseg.client import (
    ClientError,
    ConnectionFailed,
    InvalidRequest,
    Overloaded,
    RawFrame,
    Reason,
    TooLarge,
    Unavailable,
    UndecodableImage,
    UnexpectedAnswer,
    UnsupportedImage,
)
from hiseg.client.errors import KIND_OF_REASON
from hiseg.client.grpc import to_client_error
from tests.service.client import scripted_servers
from tests.service.client.calls import KINDS, call, segment
from tests.service.client.scripted_servers import Step

PNG = b"\x89PNG\r\n\x1a\n"
BOX = [1, 2, 30, 40]
CASES: dict[str, tuple[Any, Any, dict[str, Any], type[ClientError], int, str]] = {
    "reversed box": (SAMPLE, [BOX, [9, 9, 1, 1]], {}, InvalidRequest, 422, "boxes[1]"),
    "not finite": (SAMPLE, [[1, 2, 3, float("nan")]], {}, InvalidRequest, 422, "boxes[0]"),
    "threshold": (SAMPLE, [BOX], {"threshold": 1.5}, InvalidRequest, 422, "threshold"),
    "variant": (SAMPLE, [BOX], {"variant": "b9"}, InvalidRequest, 422, "variant"),
    "model": (SAMPLE, [BOX], {"model": "hiseg_b9"}, InvalidRequest, 422, "model"),
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
    image, boxes, options, expected, _, field = CASES[case]
    with pytest.raises(InvalidRequest) as caught:
        segment(kind, server.grpc, image, boxes, **options)
    error = caught.value
    assert type(error) is expected
    assert (error.status, error.code, error.field) == (None, "INVALID_ARGUMENT", field)
    with pytest.raises(InvalidRequest) as over_http:
        segment(kind, server.url, image, boxes, **options)
    assert error.reason == over_http.value.reason
    assert error.reason in {reason.value for reason in Reason}


def test_errors_have_the_limit_and_the_value(server: Server) -> None:
    for url in (server.url, server.grpc):
        with pytest.raises(TooLarge) as caught:
            segment("sync", url, SAMPLE, [BOX] * 101)
        assert caught.value.reason == Reason.TOO_MANY_BOXES
        assert (caught.value.limit, caught.value.value) == (100, 101)
        assert "101 boxes" in str(caught.value)
        with pytest.raises(InvalidRequest) as caught:
            segment("sync", url, SAMPLE, [BOX], variant="b9")
        assert (caught.value.limit, caught.value.value) == (["b0"], "b9")


ANSWERS: list[tuple[int, dict[str, Any], type[ClientError], bool]] = [
    (422, {"reason": "UNDECODABLE_IMAGE", "title": "whatever"}, UndecodableImage, False),
    (422, {"reason": "INVALID_REQUEST", "title": "Image cannot be decoded"}, InvalidRequest, False),
    (422, {"title": "Image cannot be decoded"}, InvalidRequest, False),
    (422, {"reason": "TOO_CURIOUS"}, InvalidRequest, False),
    (422, {"reason": 7}, InvalidRequest, False),
    (503, {"reason": "NO_ENGINE"}, Unavailable, True),
    (503, {"reason": "SHUTTING_DOWN"}, Unavailable, True),
    (503, {"reason": "TOO_MANY_CONNECTIONS"}, Unavailable, True),
    (503, {"reason": "ENGINE_FAILED"}, Unavailable, False),
    (503, {}, Unavailable, True),
    (429, {"reason": "KEY_RATE"}, Overloaded, True),
    (414, {"reason": "URL_TOO_LONG"}, TooLarge, False),
    (404, {"reason": "NOT_FOUND", "detail": "Not Found"}, UnexpectedAnswer, False),
    (418, {}, UnexpectedAnswer, False),
]


@pytest.mark.parametrize(("status", "problem", "expected", "retryable"), ANSWERS)
def test_the_reason_decides_and_else_the_status(
    status: int, problem: dict[str, Any], expected: type[ClientError], retryable: bool
) -> None:
    step = Step(status=status, body=json.dumps({"status": status, "detail": "words"} | problem).encode())
    for kind in KINDS:
        with scripted_servers.http([step]) as heard, pytest.raises(ClientError) as caught:
            segment(kind, heard.url, SAMPLE, [BOX], settings={"retries": 0})
        assert type(caught.value) is expected
        assert caught.value.retryable is retryable
        sent = problem.get("reason")
        assert caught.value.reason == (sent if isinstance(sent, str) else None)


def test_every_reason_has_an_exception() -> None:
    assert {*KIND_OF_REASON} == {reason.value for reason in Reason}


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


@pytest.mark.parametrize(
    ("code", "domain", "reason", "expected", "told"),
    [
        (StatusCode.INVALID_ARGUMENT, "hiseg", "TOO_MANY_BOXES", TooLarge, "TOO_MANY_BOXES"),
        (StatusCode.INVALID_ARGUMENT, "hiseg", "TOO_CURIOUS", InvalidRequest, "TOO_CURIOUS"),
        (StatusCode.RESOURCE_EXHAUSTED, "hiseg", "MESSAGE_TOO_LARGE", TooLarge, "MESSAGE_TOO_LARGE"),
        (StatusCode.RESOURCE_EXHAUSTED, "hiseg", "TOO_MANY_STREAMS", Overloaded, "TOO_MANY_STREAMS"),
        (StatusCode.UNAVAILABLE, "hiseg", "NO_ENGINE", Unavailable, "NO_ENGINE"),
        (StatusCode.UNAVAILABLE, "envoy.example", "NO_ENGINE", ConnectionFailed, None),
        (StatusCode.INVALID_ARGUMENT, "envoy.example", "TOO_MANY_BOXES", InvalidRequest, None),
    ],
)
def test_the_reason_decides_over_grpc_if_it_is_the_service_s(
    code: StatusCode, domain: str, reason: str, expected: type[ClientError], told: str | None
) -> None:
    """Also without ``retry-after``, which a proxy may not pass on; proxies have details of their own."""
    status = Status(code=code.value[0], message="words")
    status.details.add().Pack(ErrorInfo(reason=reason, domain=domain, metadata={"limit": "[1, 2]", "value": "x"}))
    trailing = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    error = to_client_error(AioRpcError(code, Metadata(), trailing, "words"))
    assert type(error) is expected
    assert error.reason == told
    if told:
        assert (error.limit, error.value) == ([1, 2], "x")


def test_details_that_are_damaged_are_none() -> None:
    trailing = Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = to_client_error(AioRpcError(StatusCode.INVALID_ARGUMENT, Metadata(), trailing, "words"))
    assert (type(error), error.reason) == (InvalidRequest, None)
