"""Creates the engine for a real Triton as the service does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.harness.repository import REPOSITORY
from hiseg.engines.base import Engine
from hiseg.engines.triton.address import parse_targets
from hiseg.engines.triton.discovery import discover
from hiseg.engines.triton.engine import TritonEngine
from hiseg.models.self_test import run_self_test


@asynccontextmanager
async def engine_on(
    engine: str, repository: Path = REPOSITORY, model: str | None = None
) -> AsyncIterator[TritonEngine]:
    """The engine of a model on the servers that the setting ``engine`` names, usable."""

    async def self_test(tested: Engine) -> None:
        await run_self_test(tested, repository)

    targets = parse_targets(engine)
    infos = {info.ref.name: info for info in await discover(targets, "b0")}
    async with TritonEngine(infos[model or next(iter(infos))], targets, self_test).running() as running:
        await running.wait_until_usable()
        yield running


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
