"""Over gRPC boxes that aren't in the image, nobody, and fields from a newer client are noted or refused."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from hiseg.api.units import NOBODY
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.harness import BOX, PHOTO, running

OUTSIDE = pb.Box(x1=5000, y1=0, x2=5010, y2=10)
UNKNOWN = b"\xf8\x07\x01"
"""A number as field 127."""


def segment(*boxes: pb.Box, more: bytes = b"", **options: object) -> list[str]:
    async def scenario() -> list[str]:
        async with running() as service:
            message = pb.SegmentRequest(encoded_image=PHOTO, boxes=boxes, **options)  # type: ignore[arg-type]
            answer = await service.stub.Segment(pb.SegmentRequest.FromString(message.SerializeToString() + more))
            return list(answer.image.notes)

    return asyncio.run(scenario())


def stream(*frames: pb.Frame, more: bytes = b"") -> list[list[str]]:
    async def scenario() -> list[list[str]]:
        async with running() as service:
            call = service.stub.SegmentStream()
            await call.write(pb.SegmentStreamRequest(config=pb.StreamConfig.FromString(more)))
            notes = []
            for frame in frames:
                frame.encoded_image = PHOTO
                await call.write(pb.SegmentStreamRequest(frame=frame))
                notes.append(list((await call.read()).result.image.notes))
            await call.done_writing()
            assert await call.code() is StatusCode.OK
            return notes

    return asyncio.run(scenario())


def test_nobody_and_boxes_outside_are_noted() -> None:
    assert segment(BOX) == []
    assert segment() == [NOBODY]
    assert segment(mode="MODE_BINARY") == []
    assert segment(BOX, OUTSIDE) == ["boxes[1] lies outside the image"]


def test_boxes_that_are_all_outside_are_refused() -> None:
    with pytest.raises(AioRpcError, match="see box_format and normalized") as refused:
        segment(OUTSIDE)
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT


def test_frames_whose_boxes_have_left_are_noted() -> None:
    frames = pb.Frame(boxes=[OUTSIDE]), pb.Frame(), pb.Frame(boxes=[BOX])
    assert stream(*frames) == [["boxes[0] lies outside the image"], [NOBODY], []]


def test_fields_of_a_newer_client_are_noted() -> None:
    told = "the {} has fields that this version of the service doesn't know: 127"
    assert segment(BOX, more=UNKNOWN) == [told.format("SegmentRequest")]
    frame = pb.Frame.FromString(pb.Frame(boxes=[BOX]).SerializeToString() + UNKNOWN)
    notes = [told.format("StreamConfig"), told.format("Frame")]
    assert stream(frame, more=UNKNOWN) == [notes]
