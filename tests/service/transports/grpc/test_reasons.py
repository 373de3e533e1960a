"""The reason of an error on the wire: google.rpc's ErrorInfo wherever a call ends, and in the frames of a stream."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc import Compression
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status

from hiseg.batching.admission import State
from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.camera import Camera
from tests.service.transports.grpc.harness import BOX, PHOTO, Running, running, until

REQUEST = pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX])
INFO = pb.GetInfoRequest()


def details(error: AioRpcError) -> dict[type, Any]:
    """The details of an error by their kinds; each kind is there once."""
    status = rpc_status.from_call(error)
    assert status is not None
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found = {}
    for packed in status.details:
        kind = next(kind for kind in (ErrorInfo, BadRequest, RetryInfo) if packed.Is(kind.DESCRIPTOR))
        assert kind not in found
        found[kind] = kind.FromString(packed.value)
    return found


def info(error: AioRpcError) -> tuple[str, dict[str, str]]:
    """The reason of an error, and what is known besides."""
    found = details(error)[ErrorInfo]
    assert found.domain == "hiseg"
    return found.reason, dict(found.metadata)


async def stream_error(service: Running, *messages: pb.SegmentStreamRequest) -> AioRpcError:
    """The error that a stream ends with."""
    call = service.stub.SegmentStream(iter(messages))
    with pytest.raises(AioRpcError) as caught:
        async for _ in call:
            pass
    return caught.value


def test_the_reason_of_a_refusal_stands_beside_the_field() -> None:
    async def scenario() -> None:
        async with running() as service:
            error = await service.refused(pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX] * 101))
            assert info(error) == ("TOO_MANY_BOXES", {"field": "boxes", "limit": "100", "value": "101"})
            (violation,) = details(error)[BadRequest].field_violations
            assert (violation.field, violation.reason) == ("boxes", "TOO_MANY_BOXES")
            error = await service.refused(pb.SegmentRequest(encoded_image=PHOTO, variant="b9"))
            assert info(error) == ("INVALID_REQUEST", {"field": "variant", "limit": '["b0"]', "value": "b9"})
            assert info(await service.refused(pb.SegmentRequest(encoded_image=b"GIF89a")))[0] == "UNSUPPORTED_IMAGE"
            assert info(await service.refused(pb.SegmentRequest(encoded_image=PHOTO[:20])))[0] == "UNDECODABLE_IMAGE"

    asyncio.run(scenario())


@pytest.mark.parametrize(("state", "reason"), [(State.STARTING, "STARTING"), (State.DRAINING, "SHUTTING_DOWN")])
def test_calls_and_streams_that_come_at_the_wrong_time_are_told_which(state: State, reason: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            service.segmenter.admission.state = state
            for error in (await service.refused(REQUEST), await stream_error(service)):
                assert info(error) == (reason, {})
                assert details(error)[RetryInfo].retry_delay.seconds == 1

    asyncio.run(scenario())


def test_calls_without_a_key_are_told_so_before_anything_is_read() -> None:
    async def scenario() -> None:
        async with running(Settings(api_keys=(sha256(b"a key").hexdigest(),))) as service:
            errors = [await service.refused(REQUEST), await stream_error(service)]
            with pytest.raises(AioRpcError) as caught:
                await service.stub.GetInfo(INFO)
            for error in (*errors, caught.value):
                assert info(error) == ("INVALID_API_KEY", {})

    asyncio.run(scenario())


def test_too_many_calls_and_streams() -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_max_calls=1, grpc_max_streams=1)) as service:
            service.engine.gate.clear()
            inside = service.stub.Segment(REQUEST)
            camera = await Camera.opened(service)
            await camera.send()
            await until(lambda: service.engine.running)
            assert info(await service.refused(REQUEST))[0] == "TOO_MANY_CALLS"
            with pytest.raises(AioRpcError) as caught:
                await service.stub.GetInfo(INFO)
            assert info(caught.value)[0] == "TOO_MANY_CALLS"
            assert info(await stream_error(service))[0] == "TOO_MANY_STREAMS"
            service.engine.gate.set()
            await inside
            await camera.finish()

    asyncio.run(scenario())


def test_a_message_that_grows_too_large_is_told_apart_from_one_that_grpc_refuses() -> None:
    async def scenario() -> None:
        async with running(Settings(max_image_bytes=MEBI)) as service:
            request = pb.SegmentRequest(encoded_image=bytes(4 * MEBI))
            with pytest.raises(AioRpcError) as caught:
                await service.stub.Segment(request, compression=Compression.Gzip)
            assert info(caught.value)[0] == "MESSAGE_TOO_LARGE"
            assert rpc_status.from_call(await service.refused(request)) is None

    asyncio.run(scenario())


def test_a_service_that_is_not_there_has_no_health() -> None:
    async def scenario() -> None:
        async with running() as service:
            with pytest.raises(AioRpcError) as caught:
                await HealthStub(service.channel).Check(HealthCheckRequest(service="other"))
            assert info(caught.value) == ("NOT_FOUND", {})

    asyncio.run(scenario())


def test_frames_say_the_reason_too() -> None:
    async def scenario() -> None:
        async with running() as service:
            camera = await Camera.opened(service)
            await camera.send(encoded_image=PHOTO, boxes=[BOX, pb.Box(x1=9, x2=1, y2=1)])
            await camera.send(encoded_image=PHOTO, boxes=[BOX] * 101)
            await camera.receive(2)
            service.segmenter.admission.max_bytes = 1
            await camera.send()
            await camera.receive(1)
            wrong, many, dropped = camera.received
            assert (wrong.error.error_reason, wrong.error.field) == ("INVALID_REQUEST", "boxes[1]")
            assert (many.error.error_reason, many.error.limit, many.error.value) == ("TOO_MANY_BOXES", "100", "101")
            assert dropped.dropped.error_reason == "MEMORY_IN_USE"

    asyncio.run(scenario())
