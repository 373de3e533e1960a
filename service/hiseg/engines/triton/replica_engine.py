"""A replica as an engine of its own: how a version is tried before it gets anybody's batches."""

from __future__ import annotations

from collections.abc import Callable

from hiseg.engines.base import Batch, ModelInfo, Prediction
from hiseg.engines.triton.replica import Replica


class ReplicaEngine:
    """Runs batches on one replica, and nowhere else."""

    slots = 1
    max_in_flight = 1
    roi_counts = ()

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def info(self) -> ModelInfo:
        return self._replica.described.info

    def subscribe(self, changed: Callable[[], None]) -> None:
        pass

    async def infer(self, batch: Batch) -> Prediction:
        return await self._replica.infer(batch)

    def close(self) -> None:
        pass
