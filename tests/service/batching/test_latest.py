"""For live cameras, only the newest prepared frame of each goes to the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.job import Prepared
from hiseg.batching.latest import Superseded
from hiseg.core.errors import UndecodableImage
from hiseg.engines.base import Cost
from tests.service.batching.harness import CANVASES, GPU, ROOMY, Harness, batch_job, running_batcher


async def superseded(harness: Harness, marker: float, at: float, client: str = "camera", stream: int = 0) -> bool:
    """Whether a frame of a live camera had to go for a newer one; else it got its rows."""
    try:
        await harness.send(marker, at=at, client=client, stream=stream, latest=True)
    except Superseded:
        return True
    return False


def test_of_a_live_camera_the_newest_that_is_ready_goes() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        # Decoding takes 3 ms: number 5 is too late for the second batch, which doesn't wait for it.
        async with running_batcher(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(0))
            tasks.create_task(harness.send(9, at=0.02))
            times = enumerate([0.01, 0.03, 0.05, 0.09, 0.102], 1)
            frames = [tasks.create_task(superseded(harness, marker, at)) for marker, at in times]
        assert [frame.result() for frame in frames] == [True, True, True, False, False]
        assert harness.order() == [0, 4, 9, 5]
        assert [len(batch.images) for batch in harness.engine.batches] == [1, 2, 1]
        assert harness.notes.drops == ["superseded"] * 3

    run(scenario, 0.003)


def test_a_live_camera_that_is_always_replaced_keeps_its_turn() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ROOMY, images=1)
        async with running_batcher(loop, EchoEngine(Cost(100, 0, 0)), limits) as harness, asyncio.TaskGroup() as tasks:
            for marker in range(3):
                tasks.create_task(harness.send(marker, client=str(marker)))
            frames = [tasks.create_task(superseded(harness, 10 + k, 0.001 + 0.01 * k)) for k in range(12)]
            for marker in range(3, 6):
                tasks.create_task(harness.send(marker, at=0.002, client=str(marker)))
        assert sum(not frame.result() for frame in frames) == 1
        assert not frames[-1].result()
        order = harness.order()
        assert order[:3] == [0, 1, 2]
        assert order.index(21) == 3

    run(scenario)


def test_a_frame_that_breaks_or_whose_caller_leaves_takes_nobodys_place() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        def breaks() -> Prepared:
            raise UndecodableImage("it is broken")

        async with running_batcher(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(0))
            kept = tasks.create_task(superseded(harness, 1, 0.01))
            leaving = tasks.create_task(superseded(harness, 2, 0.02))
            await asyncio.sleep(0.021)
            leaving.cancel()
            with pytest.raises(UndecodableImage):
                await harness.batcher.submit(replace(batch_job(3, client="camera", latest=True), prepare=breaks))
        assert not kept.result()
        assert harness.order() == [0, 1]
        assert harness.notes.drops == ["gone"]

    run(scenario, 0.003)


def test_frames_of_other_sizes_do_not_replace_each_other() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        async with running_batcher(loop, EchoEngine(Cost(100, 0, 0)), ROOMY) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(0))
            for marker, canvas in enumerate(CANVASES, 1):
                tasks.create_task(harness.send(marker, at=0.01 * marker, client="camera", canvas=canvas, latest=True))
        assert harness.order() == [0, 1, 2]

    run(scenario, 0.003)


def test_a_newer_frame_with_more_people_takes_no_place_where_it_does_not_fit() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        engine = EchoEngine(GPU)
        engine.gate.clear()
        async with running_batcher(loop, engine, replace(ROOMY, rois=10)) as harness:
            sends = [
                asyncio.create_task(harness.send(9)),
                asyncio.create_task(harness.send(1, 1, at=0.021, client="camera", latest=True)),
                asyncio.create_task(harness.send(2, 5, at=0.022, client="camera", latest=True)),
                asyncio.create_task(harness.send(3, 8, at=0.023, client="other")),
            ]
            await asyncio.sleep(0.2)
            engine.gate.set()
            await asyncio.gather(*sends)
            assert [len(batch.rois) for batch in engine.batches] == [1, 9, 5]

    run(scenario, decode_s=0.02)


def test_two_live_cameras_of_one_client_replace_their_own_frames_alone_and_both_are_served() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        limits = replace(ROOMY, images=1)
        async with running_batcher(loop, EchoEngine(Cost(100, 0, 0)), limits) as harness, asyncio.TaskGroup() as tasks:
            tasks.create_task(harness.send(99))
            frames = {
                stream: [
                    tasks.create_task(superseded(harness, 100 * (stream + 1) + k, 0.001 + gap * k, stream=stream))
                    for k in range(round(1 / gap))
                ]
                for stream, gap in enumerate((0.01, 0.05))
            }
        served = {stream: sum(not frame.result() for frame in these) for stream, these in frames.items()}
        assert served[0] + served[1] >= 10
        assert abs(served[0] - served[1]) <= 2

    run(scenario)
