"""Serves the real service with an engine that only takes time, as B0 would on a GPU: ``python -m benchmarks.gpu_like``.

It stands for a GPU, which the measuring machines don't have: all remaining slowness is that of the service itself.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np
import typer

from hiseg.app import serve
from hiseg.core.canvas import Resize
from hiseg.core.result import ModelRef
from hiseg.engines.base import Batch, Cost, ModelInfo, Prediction
from hiseg.models.loader import LoadedModel, preloaded
from hiseg.settings import Settings

CANVASES = ((640, 640), (480, 640), (640, 480), (384, 640), (640, 384))
MASK_SIZE = (128, 96)
FREE = Cost(0.0, 0.0, 0.0)


class GpuLike:
    """Sleeps for a batch's cost in a thread of its own, or not at all; everybody has the shape of an ellipse."""

    slots = 1
    max_in_flight = 1
    roi_counts = ()

    def __init__(self, cost: Cost, canvases: tuple[tuple[int, int], ...] = CANVASES) -> None:
        ref = ModelRef("gpu_like", "1", "b0")
        self.info = ModelInfo(ref, canvases, Resize.LETTERBOX, MASK_SIZE, True, cost)
        self.cost = cost
        self.images_run = 0
        """That were run, without the black ones of the warm-up."""
        self._executor = ThreadPoolExecutor(1)
        y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in MASK_SIZE)
        self._margin = 4 * (1 - y[:, None] ** 2 - x[None, :] ** 2)

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        if self.cost == FREE:
            return self.run(batch)
        run = asyncio.get_running_loop().run_in_executor(self._executor, self.run, batch)
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            await asyncio.wait([run])
            raise

    def run(self, batch: Batch) -> Prediction:
        """Like :meth:`infer`, in the calling thread."""
        self.images_run += int(batch.images[:, :, ::32, ::32].any(axis=(1, 2, 3)).sum())
        if self.cost != FREE:
            time.sleep(self.cost.batch(len(batch.images), len(batch.rois)) / 1000)
        images, _, height, width = batch.images.shape
        return Prediction(
            np.broadcast_to(self._margin, (len(batch.rois), *MASK_SIZE)),
            np.broadcast_to(np.float32(0.5), (images, height, width)),
            self.info.ref,
        )

    def close(self) -> None:
        self._executor.shutdown()


def main(
    constant: Annotated[float, typer.Option(help="ms a batch")] = 4.0,
    image: Annotated[float, typer.Option(help="ms an image")] = 0.0,
    roi: Annotated[float, typer.Option(help="ms a person")] = 0.9,
    canvases: Annotated[int, typer.Option(help="how many canvases it has, the square one first")] = len(CANVASES),
) -> None:
    """Serve on free ports; every setting but these is a HISEG_* variable."""
    engine = GpuLike(Cost(constant, image, roi), CANVASES[:canvases])
    serve(Settings(port=0, grpc_port=0), preloaded(LoadedModel(engine)))
    print(f"images run: {engine.images_run}", file=sys.stderr)


def command(*options: str) -> tuple[str, ...]:
    """What starts this in a process of its own."""
    return (sys.executable, "-m", "benchmarks.gpu_like", *options)


if __name__ == "__main__":
    typer.run(main)
