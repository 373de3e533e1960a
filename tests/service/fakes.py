"""An engine without a model, for what can be told only when the answer is known beforehand.

It stands for :class:`service.engines.onnx.OnnxEngine`; the real one is used wherever masks are looked at.
"""

from __future__ import annotations

import asyncio

import numpy as np

from service.canvas import Resize
from service.domain import ModelRef
from service.engines.base import Batch, ModelInfo, Prediction


class EchoEngine:
    """Answers each RoI with margins that are its own x1 everywhere, and the foreground with the image's red."""

    def __init__(self) -> None:
        self.info = ModelInfo(ModelRef("echo", "1", "b0"), ((64, 64), (48, 64)), Resize.LETTERBOX, (8, 6), True)
        self.batches: list[Batch] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0

    async def infer(self, batch: Batch) -> Prediction:
        assert self.running == 0, "one batch at a time"
        self.running += 1
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        self.batches.append(batch)
        margins = np.broadcast_to(batch.rois[:, 1, None, None] + 1, (len(batch.rois), 8, 6))
        return Prediction(margins.astype(np.float32), batch.images[:, 0].astype(np.float32) / 255)

    def close(self) -> None:
        pass
