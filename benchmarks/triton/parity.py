"""Compares the embedded engine and a real Triton on the same random batches: ``python -m benchmarks.triton.parity``.

Batches of 0 to 32 people on every canvas, for B0 and the foreground as published (UINT8), and for B0 with float images
(FP32).
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.harness.repository import MODELS
from benchmarks.harness.triton.engine import engine_on, until
from benchmarks.harness.triton.models import add_float_b0, copy_of_ours, targets_of
from benchmarks.harness.triton.server import Triton, triton
from hiseg.engines.base import Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.random_inputs import random_batch

BATCHES = 100
"""Of each model."""
FLOAT = "float_b0"


@dataclass
class Difference:
    """Over all batches.

    Attributes:
        masks: pixels of margins whose sign differs.
        logit_margins, foreground: largest difference.
        people: in all batches.
        canvases: different ones that were used.
    """

    masks: int = 0
    logit_margins: float = 0.0
    foreground: float = 0.0
    people: int = 0
    canvases: int = 0


def repository_of_both(folder: Path) -> Path:
    """B0, and B0 with float images."""
    repository = copy_of_ours(folder)
    add_float_b0(repository, FLOAT)
    return repository


async def compare(
    repository: Path, server: Triton, model: str, batches: int, seed: int, most_people: int = 32
) -> Difference:
    """Run random batches on both; the canvases take turns, and so do the outputs asked for. Some people come twice."""
    rng, found, seen = np.random.default_rng(seed), Difference(), set()
    here = OnnxEngine(repository / model / "1" / "model.onnx", model, "1")
    asked = [some for some in (Outputs.BOTH, Outputs.MASKS, Outputs.FOREGROUND) if some in here.info.outputs]
    async with engine_on(targets_of(server), repository, model) as there:
        for number in range(batches):
            canvas = here.info.canvases[number % len(here.info.canvases)]
            images, people = int(rng.integers(1, 3)), int(rng.integers(0, most_people + 1))
            batch = random_batch(canvas, images, people, asked[number % len(asked)], int(rng.integers(1 << 31)))
            batch = replace(batch, rois=np.concatenate([batch.rois, batch.rois[::3]]))
            ours = await here.infer(batch)
            await until(lambda: there.slots)
            theirs = await there.infer(batch)
            assert ours.logit_margins.shape == theirs.logit_margins.shape
            assert ours.foreground.shape == theirs.foreground.shape
            found.masks += int(((ours.logit_margins > 0) != (theirs.logit_margins > 0)).sum())
            found.logit_margins = max(
                found.logit_margins, float(np.abs(ours.logit_margins - theirs.logit_margins).max(initial=0))
            )
            found.foreground = max(found.foreground, float(np.abs(ours.foreground - theirs.foreground).max(initial=0)))
            found.people += len(batch.rois)
            seen.add(canvas)
    here.close()
    found.canvases = len(seen)
    return found


def main() -> None:
    """The published models, and the one with float images."""
    with tempfile.TemporaryDirectory() as folder:
        repository = repository_of_both(Path(folder))
        with triton(repository) as server:
            for model in (*MODELS, FLOAT):
                print(model, asyncio.run(compare(repository, server, model, BATCHES, seed=0)))


if __name__ == "__main__":
    main()
