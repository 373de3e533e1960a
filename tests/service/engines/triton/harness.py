"""An engine on real servers, as the service makes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from hiseg.engines.base import Batch, BatchMeta, Engine, Prediction
from hiseg.engines.triton.address import parse_targets
from hiseg.engines.triton.discovery import discover
from hiseg.engines.triton.endpoint import Endpoint
from hiseg.engines.triton.engine import TritonEngine
from hiseg.models.self_test import try_out
from tests.conftest import REPOSITORY
from tests.triton.models import FRAGILE_CANVAS

NOTHING = Path("/nonexistent")
"""A local repository without canaries."""


@asynccontextmanager
async def engine_on(
    engine: str, repository: Path = REPOSITORY, model: str | None = None
) -> AsyncIterator[TritonEngine]:
    """The engine of a model on the servers that the setting ``engine`` names, usable."""

    async def trial(tried: Engine) -> None:
        await try_out(tried, repository)

    targets = parse_targets(engine)
    infos = {info.ref.name: info for info in await discover(targets, "b0")}
    async with TritonEngine(infos[model or next(iter(infos))], targets, trial).running() as running:
        await running.usable()
        yield running


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def endpoint(engine: TritonEngine, address: str) -> Endpoint:
    return engine.endpoints[address]


def marked(marker: int, rois: int = 2, meta: BatchMeta | None = None) -> Batch:
    """For the fragile model: its rows can be told from all others."""
    rows = np.zeros((rois, 5), dtype=np.float32)
    rows[:, 1] = marker + np.arange(rois) / 1000
    return Batch(np.full((1, 3, *FRAGILE_CANVAS), marker, dtype=np.uint8), rows, meta or BatchMeta())


def assert_own(made: Prediction, batch: Batch) -> None:
    np.testing.assert_allclose(
        made.logit_margins, np.broadcast_to(batch.rois[:, 1, None, None] + 1, made.logit_margins.shape)
    )
    assert len(made.logit_margins) == len(batch.rois)
    np.testing.assert_allclose(made.foreground, batch.images[:, 0].astype(np.float32) / 255, rtol=1e-6)
