"""The embedded engine runs batches only while the primary engine has no slots, and its answers say so."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks.harness.echo import EchoEngine
from hiseg.core.errors import Reason, Unavailable
from hiseg.engines.base import Batch, BatchMeta, Outputs, Prediction
from hiseg.engines.fallback import NAME, FallbackEngine

BATCH = Batch(np.zeros((1, 3, 64, 64), dtype=np.uint8), np.zeros((0, 5), dtype=np.float32))


class Failing(EchoEngine):
    """Fails each batch; with ``goes_down`` it has no slots from then on."""

    def __init__(self, reason: Reason, goes_down: bool) -> None:
        super().__init__()
        self._reason = reason
        self._goes_down = goes_down

    async def infer(self, batch: Batch) -> Prediction:
        if self._goes_down:
            self.slots = 0
        raise Unavailable("no server answers", reason=self._reason)


def run(primary: EchoEngine, embedded: EchoEngine) -> Prediction:
    return asyncio.run(FallbackEngine(primary, embedded).infer(BATCH))


def test_the_primary_engine_runs_batches_while_it_has_slots() -> None:
    primary, embedded = EchoEngine(), EchoEngine()
    assert run(primary, embedded).model == primary.info.ref
    assert (len(primary.batches), len(embedded.batches)) == (1, 0)


def test_without_slots_the_embedded_engine_runs_them_under_its_own_name() -> None:
    primary, embedded = EchoEngine(slots=0), EchoEngine(slots=2)
    engine = FallbackEngine(primary, embedded)
    assert (engine.slots, engine.max_in_flight, engine.info.ref.engine) == (2, 2, NAME)
    assert run(primary, embedded).model.engine == NAME
    assert len(embedded.batches) == 1


def test_a_batch_that_fails_as_the_last_server_goes_down_is_run_again() -> None:
    embedded = EchoEngine()
    assert run(Failing(Reason.NO_ENGINE, goes_down=True), embedded).model.engine == NAME


def test_a_batch_that_brought_servers_down_is_not_run_again() -> None:
    embedded = EchoEngine()
    with pytest.raises(Unavailable):
        run(Failing(Reason.ENGINE_FAILED, goes_down=True), embedded)
    with pytest.raises(Unavailable):
        run(Failing(Reason.NO_ENGINE, goes_down=False), embedded)
    assert not embedded.batches


def test_what_the_version_here_does_not_give_is_not_run_by_it() -> None:
    primary, embedded = EchoEngine(slots=0), EchoEngine(outputs=Outputs.MASKS)
    batch = Batch(BATCH.images, BATCH.rois, BatchMeta(Outputs.FOREGROUND))
    with pytest.raises(Unavailable, match="the version in this process gives no foreground"):
        asyncio.run(FallbackEngine(primary, embedded).infer(batch))
    assert not embedded.batches
