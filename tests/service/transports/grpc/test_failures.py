"""Calls that fail: their status codes and messages, and that nothing of them is left behind."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from hiseg.batching.admission import State
from hiseg.core.errors import MAX_DETAIL_LENGTH, HisegError, Overloaded, Reason
from hiseg.core.result import Result
from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc import answers, servicer
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.status import CODES, MessageTooLarge
from tests.service.transports.grpc.harness import BOX, PHOTO, Running, running, until

REQUEST = pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX])


def all_errors(base: type[HisegError] = HisegError) -> set[type[HisegError]]:
    return {kind for child in base.__subclasses__() for kind in {child, *all_errors(child)}}


def test_every_error_has_a_code() -> None:
    assert {kind for kind in all_errors() if kind.__module__ == "hiseg.core.errors"} == {*CODES} - {MessageTooLarge}


@pytest.mark.parametrize(
    ("fields", "words", "outcome"),
    [
        ({"encoded_image": None}, "no image", "INVALID_REQUEST"),
        ({"encoded_image": b""}, "empty", "UNDECODABLE_IMAGE"),
        ({"encoded_image": b"GIF89a"}, "image/webp", "UNSUPPORTED_IMAGE"),
        ({"encoded_image": PHOTO[:20]}, "PNG", "UNDECODABLE_IMAGE"),
        ({"encoded_image": PHOTO[:-30]}, "PNG", "UNDECODABLE_IMAGE"),
        ({"boxes": [BOX, pb.Box(x1=9, y1=0, x2=5, y2=5)]}, "boxes[1]", "INVALID_REQUEST"),
        ({"boxes": [pb.Box(x1=float("nan"), x2=1, y2=1)]}, "boxes[0]", "INVALID_REQUEST"),
        ({"boxes": [pb.Box()]}, "boxes[0]", "INVALID_REQUEST"),
        ({"boxes": [BOX] * 101}, "at most 100", "TOO_MANY_BOXES"),
        ({"variant": "b9"}, "'b9' is not served; there is b0", "INVALID_REQUEST"),
        ({"mode": 7}, "mode: 7", "INVALID_REQUEST"),
        ({"mask_format": -1}, "mask_format: -1", "INVALID_REQUEST"),
        ({"box_format": 99}, "box_format: 99", "INVALID_REQUEST"),
        ({"priority": 3}, "priority: 3", "INVALID_REQUEST"),
        ({"threshold": 0.0}, "threshold", "INVALID_REQUEST"),
        ({"dilation_px": -1}, "dilation_px", "INVALID_REQUEST"),
        ({"dilation_px": 101}, "dilation_px", "INVALID_REQUEST"),
        ({"smoothing": 9}, "smoothing", "INVALID_REQUEST"),
        ({"tolerance_px": -0.5}, "tolerance_px", "INVALID_REQUEST"),
        ({"threshold": 1.0}, "threshold", "INVALID_REQUEST"),
        ({"threshold": float("nan")}, "threshold", "INVALID_REQUEST"),
    ],
)
def test_a_bad_request_is_an_invalid_argument_that_names_the_field(
    fields: dict[str, Any], words: str, outcome: str
) -> None:
    async def scenario() -> None:
        async with running() as service:
            error = await service.refused(pb.SegmentRequest(**{"encoded_image": PHOTO, "boxes": [BOX]} | fields))
            assert error.code() is StatusCode.INVALID_ARGUMENT
            assert words in str(error.details())
            assert "retry-after" not in (error.trailing_metadata() or ())
            assert service.counted() == {outcome: 1}
            assert service.segmenter.admission.active_requests == 0

    asyncio.run(scenario())


def test_bytes_that_cannot_be_parsed_are_an_invalid_argument() -> None:
    async def scenario() -> None:
        async with running() as service:
            with pytest.raises(AioRpcError) as caught:
                await service.channel.unary_unary(f"/{servicer.SERVICE}/Segment")(b"\xff\xff")
            assert caught.value.code() is StatusCode.INVALID_ARGUMENT
            assert service.counted() == {"INVALID_REQUEST": 1}

    asyncio.run(scenario())


def test_error_messages_are_shortened() -> None:
    async def scenario() -> None:
        async with running() as service:
            error = await service.refused(pb.SegmentRequest(encoded_image=PHOTO, variant="ö" * 100_000))
            assert error.code() is StatusCode.INVALID_ARGUMENT
            assert 0 < len(str(error.details())) <= min(100, MAX_DETAIL_LENGTH)

    asyncio.run(scenario())


def test_an_image_that_is_too_large() -> None:
    async def scenario() -> None:
        # The segmenter's limit is 10**6 bytes; gRPC's is a mebibyte over the settings'.
        async with running(Settings(max_image_bytes=MEBI)) as service:
            error = await service.refused(pb.SegmentRequest(encoded_image=bytes(10**6 + 1)))
            assert error.code() is StatusCode.INVALID_ARGUMENT
            assert "1000001 bytes; at most 1000000" in str(error.details())
            assert service.counted() == {"TOO_MANY_BYTES": 1}
            error = await service.refused(pb.SegmentRequest(encoded_image=bytes(2 * MEBI)))
            assert error.code() is StatusCode.RESOURCE_EXHAUSTED
            assert "retry-after" not in (error.trailing_metadata() or ())

    asyncio.run(scenario())


@pytest.mark.parametrize(("state", "reason"), [(State.STARTING, "STARTING"), (State.DRAINING, "SHUTTING_DOWN")])
def test_starting_and_draining(state: State, reason: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            service.segmenter.admission.state = state
            error = await service.refused(REQUEST)
            assert error.code() is StatusCode.UNAVAILABLE
            assert (error.trailing_metadata() or {})["retry-after"] == "1"
            assert service.counted() == {reason: 1}

    asyncio.run(scenario())


def test_an_overloaded_service_says_when_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise Overloaded("the wait is too long", reason=Reason.WAIT_TOO_LONG, retry_after=7)

    async def scenario() -> None:
        async with running() as service:
            monkeypatch.setattr(service.segmenter, "segment", full)
            error = await service.refused(REQUEST)
            assert (error.code(), error.details()) == (StatusCode.RESOURCE_EXHAUSTED, "the wait is too long")
            assert (error.trailing_metadata() or {})["retry-after"] == "7"
            assert service.counted() == {"WAIT_TOO_LONG": 1}

    asyncio.run(scenario())


def test_a_request_without_free_memory_is_refused() -> None:
    async def scenario() -> None:
        async with running() as service:
            with service.segmenter.admission.reserve("somebody else", 50 * MEBI):
                service.segmenter.admission.max_bytes = 50 * MEBI
                error = await service.refused(REQUEST)
            assert error.code() is StatusCode.RESOURCE_EXHAUSTED
            assert "retry-after" in (error.trailing_metadata() or ())

    asyncio.run(scenario())


def test_a_bug_has_an_id_that_stands_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(picture: object, result: Result, form: object) -> pb.SegmentResponse:
        raise KeyError("a secret")

    async def scenario() -> AioRpcError:
        async with running() as service:
            error = await service.refused(REQUEST)
            assert service.counted() == {"INTERNAL_ERROR": 1}
            return error

    monkeypatch.setattr(answers, "to_message", broken)
    with caplog.at_level(logging.ERROR):
        error = asyncio.run(scenario())
    assert error.code() is StatusCode.INTERNAL
    assert "secret" not in str(error.details())
    (record,) = caplog.records
    assert record.getMessage().split()[-1] == str(error.details()).split()[-1]
    assert record.exc_info


async def blocked(service: Running) -> asyncio.Task[pb.SegmentResponse]:
    """A call that the engine is busy with until its gate is opened."""

    async def call() -> pb.SegmentResponse:
        answer: pb.SegmentResponse = await service.stub.Segment(REQUEST)
        return answer

    service.engine.gate.clear()
    first = asyncio.create_task(call())
    await until(lambda: service.engine.running == 1)
    return first


async def released(service: Running, first: asyncio.Task[pb.SegmentResponse]) -> None:
    """The blocked call is answered, and was the only one that the engine saw."""
    service.engine.gate.set()
    assert len((await first).instances) == 1
    assert [len(batch.images) for batch in service.engine.batches] == [1]
    await until(lambda: service.segmenter.admission.active_requests == 0)


def test_a_caller_with_a_deadline_is_not_kept_waiting_and_never_reaches_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with running() as service:
            first = await blocked(service)
            (batcher,) = service.segmenter.batchers.values()
            # On a busy machine the blocked batch soon looks late, and what comes after it would be turned away.
            monkeypatch.setattr(batcher.wait_estimator, "wait_ms", lambda *_: 0.0)
            error = await service.refused(REQUEST, within=0.2)
            assert error.code() is StatusCode.DEADLINE_EXCEEDED
            await until(lambda: service.segmenter.admission.active_requests == 1)
            await released(service, first)
            assert service.counted() == {"ok": 1, "DEADLINE_EXCEEDED": 1}

    asyncio.run(scenario())


def test_the_services_own_deadline_holds_where_the_caller_has_none() -> None:
    async def scenario() -> None:
        async with running(Settings(default_deadline_ms=50)) as service:
            service.engine.gate.clear()
            error = await service.refused(REQUEST, within=None)
            assert error.code() is StatusCode.DEADLINE_EXCEEDED
            assert service.counted() == {"DEADLINE_EXCEEDED": 1}

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_the_queue() -> None:
    async def scenario() -> None:
        async with running() as service:
            first = await blocked(service)
            second = service.stub.Segment(REQUEST)
            waiting = asyncio.ensure_future(second)
            (batcher,) = service.segmenter.batchers.values()
            await until(lambda: batcher.waiting == 1)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await until(lambda: batcher.waiting == 0 and service.segmenter.admission.active_requests == 1)
            await released(service, first)
            assert service.counted() == {"ok": 1, "gone": 1}

    asyncio.run(scenario())


def test_a_broken_connection_cancels_its_calls() -> None:
    async def scenario() -> None:
        async with running() as service:
            first = await blocked(service)
            await service.channel.close()
            await until(lambda: service.segmenter.admission.active_requests == 0)
            assert first.done()
            assert service.counted() == {"gone": 1}

    asyncio.run(scenario())
