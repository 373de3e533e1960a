"""The client retries as often and as long as is sensible, against servers with scripted answers."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from email.utils import formatdate

import grpc
import pytest

from hiseg.client import (
    ConnectionFailed,
    ConnectionLost,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    Overloaded,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
)
from hiseg.client.http import parse_retry_after
from hiseg.client.retry import RetryBudget
from tests.service.client import scripted_servers
from tests.service.client.calls import KINDS, call, segment
from tests.service.client.scripted_servers import Step

BUSY = Step(429, headers={"Retry-After": "1"}, body=b'{"detail": "too much is waiting", "limit": 2000}')
STARTING = Step(503, body=b'{"detail": "the models are being loaded"}')
BUSY_GRPC = Step(code=grpc.StatusCode.RESOURCE_EXHAUSTED, headers={"retry-after": "1"}, body=b"too much is waiting")
STARTING_GRPC = Step(
    code=grpc.StatusCode.UNAVAILABLE, headers={"retry-after": "0"}, body=b"the models are being loaded"
)
OK = Step()


@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
def test_it_retries_after_the_time_in_retry_after(kind: str) -> None:
    with scripted_servers.http([BUSY, BUSY, OK]) as server:
        assert segment(kind, server.url, b"image", []).width == 4
    assert len(server.times) == 3
    assert 1 <= min(server.pauses) < 1.5


@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
def test_it_retries_after_the_time_in_retry_after_over_grpc(kind: str) -> None:
    with scripted_servers.grpc_server([BUSY_GRPC, STARTING_GRPC, OK]) as server:
        assert segment(kind, server.url, b"image", []).width == 4
    assert len(server.times) == 3
    assert 1 <= server.pauses[0] < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_up_after_its_retries(kind: str) -> None:
    with scripted_servers.http([STARTING]) as server, pytest.raises(Unavailable, match="being loaded") as caught:
        segment(kind, server.url, b"image", [])
    assert len(server.times) == 3
    assert (caught.value.status, caught.value.retry_after) == (503, None)
    with scripted_servers.http([STARTING]) as server, pytest.raises(Unavailable):
        segment(kind, server.url, b"image", [], {"retries": 0})
    assert len(server.times) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [(422, InvalidRequest), (413, TooLarge), (500, InternalError), (504, DeadlineExceeded), (502, UnexpectedAnswer)],
)
def test_invalid_requests_are_not_retried(kind: str, status: int, expected: type[Exception]) -> None:
    step = Step(status, headers={"Retry-After": "0"}, body=b'{"detail": "no"}')
    with scripted_servers.http([step]) as server, pytest.raises(expected, match="no") as caught:
        segment(kind, server.url, b"image", [])
    assert len(server.times) == 1
    assert type(caught.value) is expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TooLarge),
        (grpc.StatusCode.INTERNAL, InternalError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.UNIMPLEMENTED, UnexpectedAnswer),
        (grpc.StatusCode.UNKNOWN, ConnectionLost),
        (grpc.StatusCode.CANCELLED, ConnectionLost),
    ],
)
def test_invalid_requests_are_not_retried_over_grpc(
    kind: str, code: grpc.StatusCode, expected: type[Exception]
) -> None:
    with (
        scripted_servers.grpc_server([Step(code=code, body=b"no")]) as server,
        pytest.raises(expected, match="no") as caught,
    ):
        segment(kind, server.url, b"image", [])
    assert len(server.times) == 1
    assert type(caught.value) is expected


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_retried_after_the_deadline(kind: str) -> None:
    late = replace(BUSY, headers={"Retry-After": "40"})
    began = time.monotonic()
    with scripted_servers.http([late]) as server, pytest.raises(Overloaded) as caught:
        segment(kind, server.url, b"image", [], timeout=30)
    assert time.monotonic() - began < 20, "it waits for nothing"
    assert len(server.times) == 1
    assert caught.value.retry_after == 40
    assert caught.value.limit == 2000


@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [scripted_servers.http, scripted_servers.grpc_server])
def test_it_waits_no_longer_than_its_timeout(kind: str, start: type) -> None:
    with start([Step(hang=1.5)]) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            segment(kind, server.url, b"image", [], timeout=0.3)
        assert time.monotonic() - began < 1.5
    assert len(server.times) == 1


def test_the_service_gets_the_time_that_is_left_as_deadline() -> None:
    with scripted_servers.http([STARTING, OK]) as server:
        segment("sync", server.url, b"image", [], timeout=40)
    first, second = (int(path.rpartition("deadline_ms=")[2].partition("&")[0]) for path in server.paths)
    assert 20_000 < second < first <= 40_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_refused_connection_is_retried(kind: str, scheme: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{probe.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(ConnectionFailed) as caught:
        segment(kind, url, b"image", [])
    assert 0.15 < time.monotonic() - began < 20, "it must have tried thrice"
    assert isinstance(caught.value, Unavailable)
    assert call(kind, url, "ready") is False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [STARTING, Step(drop=True), Step(hang=1)])
def test_a_service_that_is_not_ready_is_reported_as_such(kind: str, step: Step) -> None:
    with scripted_servers.http([step]) as server:
        assert call(kind, server.url, "ready", settings={"timeout": 0.2}) is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_whose_answer_was_lost_is_not_repeated(kind: str) -> None:
    with scripted_servers.http([Step(drop=True)]) as server, pytest.raises(ConnectionLost):
        segment(kind, server.url, b"image", [])
    assert len(server.times) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b'{"image": 3}', b"\xff"])
def test_an_answer_of_another_program_is_unexpected(kind: str, body: bytes) -> None:
    with scripted_servers.http([Step(body=body)]) as server, pytest.raises(UnexpectedAnswer, match="never"):
        segment(kind, server.url, b"image", [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [scripted_servers.http, scripted_servers.grpc_server])
def test_keys_and_headers_are_sent(kind: str, start: type) -> None:
    with start([OK]) as server:
        segment(kind, server.url, b"image", [], {"api_key": "secret", "headers": {"X-Tenant": "blue"}})
    assert server.headers[0]["x-api-key"] == "secret"
    assert server.headers[0]["x-tenant"] == "blue"


def test_retry_after_is_read_in_every_form() -> None:
    assert parse_retry_after("7") == 7
    assert parse_retry_after(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert parse_retry_after(formatdate(time.time() - 30, usegmt=True)) == 0
    assert parse_retry_after("soon") is None
    assert parse_retry_after(None) is None


def test_pauses_grow_and_are_random() -> None:
    pauses = []
    for _ in range(20):
        tries = RetryBudget(4, 100)
        pauses.append([tries.pause(Unavailable("no")) for _ in range(4)])
    for index, most in enumerate((0.1, 0.2, 0.4, 0.8)):
        assert all(most / 2 <= row[index] <= most for row in pauses)
        assert len({row[index] for row in pauses}) > 10


def test_a_request_without_time_fails_before_it_is_sent() -> None:
    with pytest.raises(DeadlineExceeded, match="before the request was sent"):
        RetryBudget(2, 0).left()
