"""The runs that a model must pass before it gets requests: canary image, random inputs, warm-up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.echo import EchoEngine, Notes
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.batcher import Batcher
from hiseg.batching.job import BatchLimits
from hiseg.batching.workers import Workers
from hiseg.engines.base import Batch, Cost, Outputs, Prediction
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.canary import CanaryMismatch
from hiseg.models.self_test import WARM_UP_PEOPLE, SelfTestFailed, run_self_test, warm_up

NOWHERE = Path("/nonexistent")


class Bent(EchoEngine):
    """An echo that is not right any more."""

    def __init__(self, bend: str) -> None:
        super().__init__()
        self.bend = bend

    async def infer(self, batch: Batch) -> Prediction:
        made = await super().infer(batch)
        match self.bend:
            case "nan":
                return replace(made, logit_margins=made.logit_margins * np.float32(np.nan))
            case "rows":
                return replace(made, logit_margins=made.logit_margins[:1])
            case "probability":
                return replace(made, foreground=made.foreground + 1)
            case _:
                return made


def test_without_a_canary_rows_of_the_right_shape_are_enough() -> None:
    asyncio.run(run_self_test(Bent(""), NOWHERE))


@pytest.mark.parametrize("bend", ["nan", "rows", "probability"])
def test_outputs_that_cannot_be_masks_are_refused(bend: str) -> None:
    with pytest.raises(SelfTestFailed, match="gave"):
        asyncio.run(run_self_test(Bent(bend), NOWHERE))


def test_with_a_canary_the_masks_must_be_those_that_were_published() -> None:
    engine = OnnxEngine(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", "hiseg_b0", "1")
    asyncio.run(run_self_test(engine, REPOSITORY))

    class Inside(OnnxEngine):
        async def infer(self, batch: Batch) -> Prediction:
            made = await super().infer(batch)
            return replace(made, logit_margins=-made.logit_margins)

    inside_out = Inside(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", "hiseg_b0", "1")
    with pytest.raises(CanaryMismatch):
        asyncio.run(run_self_test(inside_out, REPOSITORY))
    engine.close()
    inside_out.close()


def shapes(
    engine: EchoEngine, limits: BatchLimits | None = None, quick: bool = False
) -> set[tuple[int, int, tuple[int, ...]]]:
    asyncio.run(warm_up(Batcher(engine, Workers(ThreadPoolExecutor(1)), Notes(), limits), quick))
    return {(len(batch.images), len(batch.rois), batch.images.shape[2:]) for batch in engine.batches}


def test_every_canvas_with_and_without_people() -> None:
    engine = EchoEngine()
    assert shapes(engine) == {(1, people, canvas) for people in WARM_UP_PEOPLE for canvas in engine.info.canvases}


def test_an_engine_that_names_its_roi_counts_gets_all_of_them_with_every_number_of_images() -> None:
    engine = EchoEngine(roi_counts=(0, 2, 4))
    expected = {(n, count, canvas) for n in (1, 2, 3) for count in (0, 2, 4) for canvas in engine.info.canvases}
    assert shapes(engine, BatchLimits(images=3)) == expected


def test_a_quick_test_runs_one_canvas_unless_the_engine_prepares_for_each() -> None:
    engine = EchoEngine()
    assert shapes(engine, quick=True) == {(1, people, engine.info.canvases[0]) for people in WARM_UP_PEOPLE}
    prepares = EchoEngine(roi_counts=(0, 2))
    assert shapes(prepares, BatchLimits(images=1), quick=True) == {
        (1, count, canvas) for count in (0, 2) for canvas in prepares.info.canvases
    }


@pytest.mark.parametrize("outputs", [Outputs.MASKS, Outputs.FOREGROUND])
def test_a_model_is_run_for_what_it_gives_alone(outputs: Outputs) -> None:
    engine = EchoEngine(outputs=outputs)
    asyncio.run(run_self_test(engine, NOWHERE))
    people = WARM_UP_PEOPLE if outputs is Outputs.MASKS else (0,)
    engine.batches.clear()
    assert shapes(engine) == {(1, count, canvas) for count in people for canvas in engine.info.canvases}
    assert {batch.meta.requested for batch in engine.batches} == {outputs}


def test_the_cost_model_learns_from_the_self_test() -> None:
    async def scenario(loop: VirtualLoop) -> float:
        engine = EchoEngine(cost=Cost(10, 10, 5), prior=Cost(1, 1, 1))
        batcher = Batcher(engine, Workers(ThreadPoolExecutor(1)), Notes(), clock=loop.time)
        await warm_up(batcher)
        return batcher.cost_model.now.batch(1, 8)

    assert run(scenario) == pytest.approx(60, rel=0.35)
