"""Streams: the outcome of each frame under each policy, and one response per frame in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode

from benchmarks.harness.echo import EchoEngine
from hiseg.core.errors import Overloaded, Reason, Unavailable
from hiseg.engines.base import Cost
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.camera import FRAME, Camera
from tests.service.transports.grpc.harness import BOX, PHOTO, Running, running, until

WAIT, DROP_OLDEST, LATEST_ONLY = pb.STREAM_POLICY_WAIT, pb.STREAM_POLICY_DROP_OLDEST, pb.STREAM_POLICY_LATEST_ONLY


def frames(service: Running) -> dict[str, int]:
    return service.counted("grpc_stream")


def test_every_frame_has_its_masks_when_there_is_time() -> None:
    async def scenario() -> None:
        async with running() as service:
            for policy in (pb.STREAM_POLICY_UNSPECIFIED, WAIT, DROP_OLDEST, LATEST_ONLY):
                camera = await Camera.opened(service, policy=policy)
                for _ in range(5):
                    await camera.send()
                    (response,) = await camera.receive(1)
                    (instance,) = response.result.instances
                    assert instance.box == BOX
                    assert set(response.result.timings_ms) == {"decode", "queue", "infer", "masks", "encode"}
                assert await camera.finish() is StatusCode.OK
                assert camera.outcomes == ["result"] * 5
            assert frames(service) == {"ok": 20}
            assert service.segmenter.admission.active_requests == 0

    asyncio.run(scenario())


def test_wait_stops_reading_and_loses_nothing() -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_stream_in_flight=2)) as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service, policy=WAIT)
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(camera.send(100))
                await until(lambda: service.segmenter.admission.active_requests == 3)
                await asyncio.sleep(0.1)
                # Two are worked on, one waits; the others have not been read.
                assert service.segmenter.admission.active_requests == 3
                service.engine.gate.set()
                await camera.receive(100)
                await sending
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result"] * 100

    asyncio.run(scenario())


def test_frames_that_come_too_fast_are_dropped_with_a_notice() -> None:
    async def scenario() -> None:
        dropped = range(2, 7)
        async with running(Settings(grpc_stream_in_flight=2, grpc_stream_queue=3)) as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service, policy=DROP_OLDEST)
            await camera.send(10)
            await until(lambda: frames(service).get("superseded") == len(dropped))
            service.engine.gate.set()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["superseded" if i in dropped else "result" for i in range(10)]
            assert frames(service) == {"superseded": len(dropped), "ok": 10 - len(dropped)}
            assert service.segmenter.admission.reserved_bytes == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("reuse", [False, True])
def test_with_latest_only_the_newest_frame_follows_the_one_in_the_engine(reuse: bool) -> None:
    async def scenario() -> None:
        async with running() as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service, policy=LATEST_ONLY, reuse_boxes=reuse)
            await camera.send()
            await until(lambda: service.engine.running)
            for number in range(8):
                # Longer than the engine says it takes, so that no frame is expected before it is free.
                await asyncio.sleep(0.03)
                await camera.send()
                # The one before goes when this one is decoded.
                await until(lambda number=number: frames(service).get("superseded", 0) == number)
            service.engine.gate.set()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", *["superseded"] * 7, "result"]
            assert frames(service) == {"superseded": 7, "ok": 2}
            assert len(service.engine.batches) == 2
            assert service.segmenter.admission.reserved_bytes == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", [WAIT, DROP_OLDEST, LATEST_ONLY])
def test_many_frames_through_a_slow_engine_are_all_accounted_for(policy: Any) -> None:
    async def scenario() -> None:
        engine = EchoEngine(Cost(2, 3, 0))
        async with running(engine=engine) as service:
            camera = await Camera.opened(service, policy=policy)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(camera.receive(300))
                await camera.send(300)
            assert await camera.finish() is StatusCode.OK
            assert len(camera.outcomes) == 300
            assert set(camera.outcomes) == ({"result"} if policy == WAIT else {"result", "superseded"})
            assert camera.outcomes[-1] == "result"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "image"),
        ({"encoded_image": b"GIF89a"}, "image"),
        ({"encoded_image": PHOTO[:-30]}, "image"),
        ({"encoded_image": PHOTO, "boxes": [BOX, pb.Box(x1=3)]}, "boxes[1]"),
        ({"encoded_image": PHOTO, "boxes": [BOX] * 101}, "boxes"),
        ({"encoded_image": PHOTO, "options": {"variant": "b9"}}, "variant"),
        ({"encoded_image": PHOTO, "options": {"threshold": 2}}, "threshold"),
        ({"raw_frame": {"format": 0, "width": 2, "height": 2, "data": bytes(12)}}, "raw_frame.format"),
        ({"raw_frame": {"format": 9, "width": 2, "height": 2, "data": bytes(12)}}, "raw_frame.format"),
        ({"raw_frame": {"format": 1, "width": 2, "height": 2, "data": bytes(11)}}, "raw_frame.data"),
    ],
)
def test_a_bad_frame_has_an_error_of_its_own_and_the_stream_goes_on(fields: dict[str, Any], field: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            camera = await Camera.opened(service)
            await camera.send()
            await camera.send_one(fields)
            await camera.send()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", "error", "result"]
            error = camera.received[1].error
            assert (error.code, error.field) == (3, field)
            assert error.message
            assert service.segmenter.admission.active_requests == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "reason", "retry"),
    [
        (Overloaded("too much", reason=Reason.WAIT_TOO_LONG, retry_after=7), "overloaded", 7),
        (Unavailable("no engine"), "unavailable", 1),
    ],
)
def test_overload_and_draining_drop_a_frame_instead_of_an_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str, retry: int
) -> None:
    async def scenario() -> None:
        async with running() as service:
            real = service.segmenter.segment

            async def refuse(*_: object, **__: object) -> None:
                raise error

            camera = await Camera.opened(service)
            for segment in (real, refuse, real):
                monkeypatch.setattr(service.segmenter, "segment", segment)
                await camera.send()
                await camera.receive(1)
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", reason, "result"]
            assert camera.received[1].dropped.retry_after_s == retry
            assert camera.received[1].dropped.message == str(error)

    asyncio.run(scenario())


def test_a_frame_without_free_memory_is_dropped() -> None:
    async def scenario() -> None:
        async with running() as service:
            camera = await Camera.opened(service)
            await camera.send()
            await camera.receive(1)
            most, service.segmenter.admission.max_bytes = service.segmenter.admission.max_bytes, 1
            await camera.send()
            await camera.receive(1)
            service.segmenter.admission.max_bytes = most
            await camera.send()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result", "overloaded", "result"]

    asyncio.run(scenario())


def test_a_bug_fails_one_frame_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running() as service:

            async def break_down(*_: object, **__: object) -> None:
                raise KeyError("a secret")

            with monkeypatch.context() as broken:
                broken.setattr(service.segmenter, "segment", break_down)
                camera = await Camera.opened(service)
                await camera.send()
                await camera.receive(1)
            await camera.send()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["error", "result"]
            assert camera.received[0].error.code == 13
            assert "secret" not in camera.received[0].error.message
            assert frames(service) == {"INTERNAL_ERROR": 1, "ok": 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", [WAIT, LATEST_ONLY])
def test_a_frame_is_dropped_at_its_deadline_whether_it_waits_or_is_worked_on(policy: Any) -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_stream_in_flight=1)) as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service, policy=policy, frame_deadline_ms=150)
            await camera.send()
            await until(lambda: service.engine.running)  # else a newer one could still take its place
            await camera.send()
            await camera.receive(2)
            assert camera.outcomes == ["deadline", "deadline"]
            service.engine.gate.set()
            await camera.send()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["deadline", "deadline", "result"]

    asyncio.run(scenario())


def test_options_of_the_stream_and_of_a_frame() -> None:
    async def scenario() -> None:
        async with running() as service:
            options = pb.SegmentOptions(mask_format=pb.MASK_FORMAT_PNG, threshold=0.9)
            camera = await Camera.opened(service, options=options)
            await camera.send()
            await camera.send(**FRAME, options=pb.SegmentOptions(mode=pb.MODE_BINARY))
            assert await camera.finish() is StatusCode.OK
            first, second = (response.result for response in camera.received)
            assert first.instances[0].WhichOneof("mask") == "png"
            assert first.instances[0].area == 0
            assert second.foreground.WhichOneof("mask") == "coco_rle"

    asyncio.run(scenario())


def test_a_flooding_camera_leaves_another_its_share() -> None:
    async def scenario() -> None:
        engine = EchoEngine(Cost(0, 10, 0))
        settings = Settings(max_batch_images=1, grpc_stream_in_flight=32)
        async with running(settings, engine) as service:
            greedy = await Camera.opened(service, policy=WAIT)
            modest = await Camera.opened(service, policy=LATEST_ONLY)
            async with asyncio.TaskGroup() as tasks:
                flood = [tasks.create_task(greedy.send(1000)), tasks.create_task(greedy.receive(1000))]
                await until(lambda: frames(service).get("ok", 0) > 5)
                before = frames(service)["ok"]
                for _ in range(20):
                    await modest.send()
                    await modest.receive(1)
                others = frames(service)["ok"] - before - 20
                for task in flood:
                    task.cancel()
            assert modest.outcomes == ["result"] * 20
            # Before each of its frames came those of the batches that were under way, not the 32 that wait.
            assert others < 20 * 8
            greedy.call.cancel()
            modest.call.cancel()

    asyncio.run(scenario())
