"""An engine's first run: what it must give before it gets anybody's work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.echo import EchoEngine
from benchmarks.harness.repository import REPOSITORY
from hiseg.engines.base import Batch, Prediction
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.canary import CanaryMismatch
from hiseg.models.self_test import SelfTestFailed, try_out

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
    asyncio.run(try_out(Bent(""), NOWHERE))


@pytest.mark.parametrize("bend", ["nan", "rows", "probability"])
def test_what_cannot_be_masks_is_refused(bend: str) -> None:
    with pytest.raises(SelfTestFailed, match="gave"):
        asyncio.run(try_out(Bent(bend), NOWHERE))


def test_with_a_canary_the_masks_must_be_those_that_were_published() -> None:
    engine = OnnxEngine(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", "hiseg_b0", "1")
    asyncio.run(try_out(engine, REPOSITORY))

    class Inside(OnnxEngine):
        async def infer(self, batch: Batch) -> Prediction:
            made = await super().infer(batch)
            return replace(made, logit_margins=-made.logit_margins)

    inside_out = Inside(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", "hiseg_b0", "1")
    with pytest.raises(CanaryMismatch):
        asyncio.run(try_out(inside_out, REPOSITORY))
    engine.close()
    inside_out.close()
