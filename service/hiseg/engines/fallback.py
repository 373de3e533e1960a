"""The embedded engine as a fallback: it runs batches while no Triton server answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hiseg.core.errors import Reason, Unavailable
from hiseg.core.result import ModelRef
from hiseg.engines.base import Batch, Engine, ModelInfo, Prediction

NAME = "onnx-fallback"
"""Value of ``engine`` in answers that the embedded engine computed in place of the primary one."""


class FallbackEngine:
    """Two engines for one model.

    Args:
        primary: gets every batch while it has slots.
        embedded: gets the batches while ``primary`` has no slots.
    """

    def __init__(self, primary: Engine, embedded: Engine) -> None:
        self._primary = primary
        self._embedded = embedded

    @property
    def info(self) -> ModelInfo:
        if self._primary.slots:
            return self._primary.info
        info = self._embedded.info
        return replace(info, ref=_as_fallback(info.ref))

    @property
    def slots(self) -> int:
        return self._primary.slots or self._embedded.slots

    @property
    def max_in_flight(self) -> int:
        return self._primary.max_in_flight or self._embedded.max_in_flight

    @property
    def roi_counts(self) -> tuple[int, ...]:
        return self._primary.roi_counts or self._embedded.roi_counts

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._primary.subscribe(changed)

    async def infer(self, batch: Batch) -> Prediction:
        if self._primary.slots:
            try:
                return await self._primary.infer(batch)
            except Unavailable as error:
                if self._primary.slots or error.reason is Reason.ENGINE_FAILED:
                    raise
        if missing := batch.meta.requested & ~self._embedded.info.outputs:
            lacks = " and no ".join(missing.names)
            raise Unavailable(f"no Triton answers, and the version in this process gives no {lacks}")
        prediction = await self._embedded.infer(batch)
        return replace(prediction, model=_as_fallback(prediction.model))

    def close(self) -> None:
        self._primary.close()
        self._embedded.close()


def _as_fallback(ref: ModelRef) -> ModelRef:
    return replace(ref, engine=NAME)
