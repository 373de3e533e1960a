"""An embedded engine that stands in while no other answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hiseg.core.errors import Unavailable
from hiseg.core.result import ModelRef
from hiseg.engines.base import DANGEROUS, Batch, Engine, ModelInfo, Prediction

NAME = "onnx-fallback"
"""What stands as ``engine`` in each answer that the embedded engine made in the other's place."""


class FallbackEngine:
    """Two engines for one model.

    Args:
        first: runs whatever it can.
        embedded: runs what ``first`` can't while it has no slots.
    """

    def __init__(self, first: Engine, embedded: Engine) -> None:
        self._first = first
        self._embedded = embedded

    @property
    def info(self) -> ModelInfo:
        if self._first.slots:
            return self._first.info
        info = self._embedded.info
        return replace(info, ref=_stands_in(info.ref))

    @property
    def slots(self) -> int:
        return self._first.slots or self._embedded.slots

    @property
    def room(self) -> int:
        return self._first.room or self._embedded.room

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return self._first.roi_counts or self._embedded.roi_counts

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._first.subscribe(changed)

    async def infer(self, batch: Batch) -> Prediction:
        if self._first.slots:
            try:
                return await self._first.infer(batch)
            except Unavailable as error:
                if self._first.slots or error.reason == DANGEROUS:
                    raise
        made = await self._embedded.infer(batch)
        return replace(made, model=_stands_in(made.model))

    def close(self) -> None:
        self._first.close()
        self._embedded.close()


def _stands_in(ref: ModelRef) -> ModelRef:
    return replace(ref, engine=NAME)
