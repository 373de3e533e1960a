"""First runs before the first caller."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.harness.echo import EchoEngine, Notes
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.batcher import Batcher
from hiseg.batching.limits import BatchLimits
from hiseg.engines.base import Cost
from hiseg.models.warm_up import PEOPLE, warm_up


def shapes(
    engine: EchoEngine, limits: BatchLimits | None = None, quick: bool = False
) -> set[tuple[int, int, tuple[int, ...]]]:
    asyncio.run(warm_up(Batcher(engine, ThreadPoolExecutor(1), Notes(), limits), quick))
    return {(len(batch.images), len(batch.rois), batch.images.shape[2:]) for batch in engine.batches}


def test_every_canvas_with_and_without_people() -> None:
    engine = EchoEngine()
    assert shapes(engine) == {(1, people, canvas) for people in PEOPLE for canvas in engine.info.canvases}


def test_an_engine_that_names_its_roi_counts_gets_all_of_them_with_every_number_of_images() -> None:
    engine = EchoEngine(roi_counts=(0, 2, 4))
    expected = {(n, count, canvas) for n in (1, 2, 3) for count in (0, 2, 4) for canvas in engine.info.canvases}
    assert shapes(engine, BatchLimits(images=3)) == expected


def test_quickly_one_canvas_unless_the_engine_prepares_itself_for_each() -> None:
    engine = EchoEngine()
    assert shapes(engine, quick=True) == {(1, people, engine.info.canvases[0]) for people in PEOPLE}
    prepares = EchoEngine(roi_counts=(0, 2))
    assert shapes(prepares, BatchLimits(images=1), quick=True) == {
        (1, count, canvas) for count in (0, 2) for canvas in prepares.info.canvases
    }


def test_the_cost_model_learns_from_it() -> None:
    async def scenario(loop: VirtualLoop) -> float:
        engine = EchoEngine(cost=Cost(10, 10, 5), prior=Cost(1, 1, 1))
        batcher = Batcher(engine, ThreadPoolExecutor(1), Notes(), clock=loop.time)
        await warm_up(batcher)
        return batcher.cost.now.batch(1, 8)

    assert run(scenario) == pytest.approx(60, rel=0.35)
