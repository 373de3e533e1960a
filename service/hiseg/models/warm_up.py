"""First runs before the first caller: they cost what no caller should pay, and teach the cost model."""

from __future__ import annotations

import numpy as np

from hiseg.batching.batcher import Batcher
from hiseg.core.image import Floats
from hiseg.engines.base import Batch

PEOPLE = (0, 8)
"""RoI counts of an engine to which all counts are alike."""


async def warm_up(batcher: Batcher, quick: bool = False) -> None:
    """Run every shape that the engine will get: each canvas, with each RoI count if the engine names them.

    Each is run twice; only the second time is believed.

    Args:
        batcher: the engine's.
        quick: callers wait, or share the machine: one canvas is enough for an engine to which all shapes are alike.
    """
    engine, limits = batcher.engine, batcher.limits
    counts = [count for count in engine.roi_counts if count <= limits.rois] or PEOPLE
    canvases = engine.info.canvases[:1] if quick and not engine.roi_counts else engine.info.canvases
    for canvas in canvases:
        most = max(1, min(limits.images, limits.bytes // (3 * canvas[0] * canvas[1]))) if engine.roi_counts else 1
        for images in range(1, most + 1):
            for people in counts:
                rois: Floats = np.tile(np.array([[0, 0.25, 0.25, 0.75, 0.75]], dtype=np.float32), (people, 1))
                batch = Batch(np.zeros((images, 3, *canvas), dtype=np.uint8), rois)
                await engine.infer(batch)
                started = batcher.clock()
                await engine.infer(batch)
                batcher.cost.observe(images, people, (batcher.clock() - started) * 1000)
