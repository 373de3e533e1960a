"""Boxes follow people from frame to frame."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from grpc import StatusCode

from hiseg.api.boxes import BoxFormat
from hiseg.core.box import Box
from hiseg.core.result import CropMask, Instance, ModelRef, Result
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.tracking import BoxRows, BoxTracker, next_boxes, padded_bounding_box
from tests.service.transports.grpc.camera import FRAME, Camera
from tests.service.transports.grpc.harness import BOX, HEIGHT, PHOTO, running, until


def mask(left: int, top: int, width: int, height: int) -> CropMask:
    """A rectangle with a margin of nothing around it."""
    pixels = np.zeros((height + 3, width + 2), dtype=np.bool_)
    pixels[2 : 2 + height, 1 : 1 + width] = True
    return CropMask(left - 1, top - 2, pixels)


def result(*instances: Instance) -> Result:
    return Result(100, 80, (), instances, None, ModelRef("m", "1", "b0"))


def test_a_box_fits_its_mask_with_a_margin_and_stays_on_the_image() -> None:
    assert padded_bounding_box(mask(20, 30, 40, 10), 100, 80) == Box(16, 29, 64, 41)
    assert padded_bounding_box(mask(1, 2, 90, 78), 100, 80) == Box(0, 0, 100, 80)
    assert padded_bounding_box(CropMask.empty(), 100, 80) is None
    assert padded_bounding_box(CropMask(3, 3, np.zeros((4, 4), dtype=np.bool_)), 100, 80) is None


def test_order_is_kept_and_who_is_not_found_is_looked_for_in_the_same_place() -> None:
    lost, outside = Box(5, 5, 9, 9), Box(100, 10, 100, 20)
    found = result(
        Instance(lost, CropMask.empty(), 0),
        Instance(Box(18, 28, 62, 42), mask(20, 30, 40, 10), 0.9),
        Instance(outside, CropMask.empty(), 0),
    )
    assert next_boxes(found) == [lost, Box(16, 29, 64, 41), outside]


def test_only_what_is_newer_is_remembered() -> None:
    memory = BoxTracker()
    assert memory.boxes_for(10, 10) == ()
    memory.remember_boxes(3, BoxRows([(0.5, 0.5, 0.5, 0.5)], BoxFormat.CXCYWH, normalized=True))
    assert memory.boxes_for(100, 80) == (Box(25, 20, 75, 60),)
    memory.remember_masks(2, result(Instance(Box(1, 1, 2, 2), CropMask.empty(), 0)))
    assert memory.boxes_for(100, 80) == (Box(25, 20, 75, 60),)
    memory.remember_boxes(4, BoxRows([(5, 5, 1, 1)]))  # reversed
    assert memory.boxes_for(100, 80) == (Box(25, 20, 75, 60),)
    memory.remember_masks(5, result(Instance(Box(1, 1, 2, 2), CropMask.empty(), 0)))
    assert memory.boxes_for(100, 80) == (Box(1, 1, 2, 2),)


def boxes(response: pb.SegmentStreamResponse) -> list[tuple[float, ...]]:
    """Where was looked."""
    found = [instance.box for instance in response.result.instances]
    return [(box.x1, box.y1, box.x2, box.y2) for box in found]


SENT = (BOX.x1, BOX.y1, BOX.x2, BOX.y2)
LARGER = (8, 0.5, 32, 54.5)
"""The echo engine finds people who fill their boxes, so each followed box is a margin larger."""


@pytest.mark.parametrize("reuse", [False, True])
def test_frames_without_boxes(reuse: bool) -> None:
    async def scenario() -> None:
        async with running() as service:
            camera = await Camera.opened(service, reuse_boxes=reuse)
            bare: dict[str, Any] = {"encoded_image": PHOTO}
            for fields in (bare, FRAME, bare, {"encoded_image": b"bad"}, bare, bare | {"forget_boxes": True}, bare):
                await camera.send_one(fields)
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", "result", "result", "error", "result", "result", "result"]
            looked = [boxes(response) for response in camera.received]
            assert looked[:4] == [[], [SENT], [LARGER] * reuse, []]
            assert looked[4] == [pytest.approx((5.6, 0, 34.4, HEIGHT))] * reuse
            assert looked[5:] == [[], []]

    asyncio.run(scenario())


def test_boxes_of_a_frame_that_was_dropped_are_not_lost() -> None:
    async def scenario() -> None:
        async with running() as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service, reuse_boxes=True, policy=pb.STREAM_POLICY_LATEST_ONLY)
            moved = pb.Box(x1=50, y1=10, x2=60, y2=20)
            await camera.send_one(FRAME)
            await until(lambda: service.engine.running)
            await camera.send_one({"encoded_image": PHOTO, "boxes": [moved]})
            await camera.send_one({"encoded_image": PHOTO})
            await until(lambda: service.counted("grpc_stream").get("superseded") == 1)
            service.engine.gate.set()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", "superseded", "result"]
            assert boxes(camera.received[2]) == [(50, 10, 60, 20)]

    asyncio.run(scenario())
