"""A version that is published takes over while the service runs: nobody restarts anything, and no request is lost.

The repository is looked at every so often. A new version is loaded beside the one at work, warmed up and tried; only
then do new jobs go to it. The old one finishes those that it has, and is closed. A version that can't be used is
refused with a line in the log, once, and the one at work stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from hiseg.batching.batcher import Batcher
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.repository import StoredModel, stored_versions
from hiseg.models.self_test import run_self_test, warm_up
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

log = logging.getLogger("uvicorn.error")
TRIAL_S = 60.0
"""A version that isn't done with its warm-up and trial by then is refused."""


class HotReloader:
    """Follows the repository.

    Args:
        segmenter: whose batchers are replaced.
        settings: where the repository is, how often it is looked at, and what batchers go by.
        metrics: who counts.
        running: the versions at work.
    """

    def __init__(
        self, segmenter: Segmenter, settings: Settings, metrics: Metrics, running: Iterable[StoredModel]
    ) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._metrics = metrics
        self._running = {stored.name: stored for stored in running}
        self._refused: set[StoredModel] = set()
        self._gone: set[str] = set()

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        async with AsyncExitStack() as batchers, asyncio.TaskGroup() as retiring:
            while True:
                await asyncio.sleep(self._settings.repository_poll_seconds)
                try:
                    await self._look(batchers, retiring)
                except OSError as error:  # a network drive that is away for a while: what runs goes on
                    log.warning("%s: the model repository cannot be read: %s", self._settings.model_repository, error)

    async def _look(self, batchers: AsyncExitStack, retiring: asyncio.TaskGroup) -> None:
        found = await asyncio.to_thread(stored_versions, self._settings.model_repository)
        self._refused.intersection_update(stored for versions in found.values() for stored in versions)
        for name in self._running.keys() - found.keys() - self._gone:
            log.warning("%s is not in the repository any more; it is served on until the service ends", name)
        self._gone = self._running.keys() - found.keys()
        for name, versions in found.items():
            for stored in versions:
                if stored == self._running.get(name):
                    break
                if stored not in self._refused and (batcher := await self._try(stored)):
                    batchers.callback(batcher.engine.close)
                    await batchers.enter_async_context(batcher.running())
                    self._take_over(stored, batcher, retiring)
                    break

    async def _try(self, stored: StoredModel) -> Batcher | None:
        """Its batcher, warm and tried; None: it was refused."""
        engine: OnnxEngine | None = None
        try:
            async with asyncio.timeout(TRIAL_S):
                engine = await asyncio.to_thread(
                    OnnxEngine, stored.path, stored.name, stored.version, self._settings.threads
                )
                self._check_variant(engine)
                watcher = self._metrics.watcher(stored.name)
                batcher = Batcher(
                    engine,
                    self._segmenter.workers,
                    watcher,
                    self._settings.batches,
                    tracing=self._segmenter.tracing,
                )
                await warm_up(batcher, quick=True)
                await run_self_test(engine, self._settings.model_repository)
                return batcher
        except Exception as error:
            self._refused.add(stored)
            self._metrics.reloaded(stored.name, "refused")
            why = error if str(error) else type(error).__name__
            log.error("Version %s of %s is not used: %s", stored.version, stored.name, why)
            if engine:
                engine.close()
            return None
        except asyncio.CancelledError:
            if engine:
                engine.close()
            raise

    def _check_variant(self, engine: OnnxEngine) -> None:
        """Callers ask for a variant: it must not vanish with the version that had it."""
        ref = engine.info.ref
        if ref.name in self._running:
            before = self._segmenter.batchers[ref.name].engine.info.ref
            if before.variant != ref.variant:
                raise ModelError(f"it is of variant {ref.variant}, and version {before.version} of {before.variant}")

    def _take_over(self, stored: StoredModel, batcher: Batcher, retiring: asyncio.TaskGroup) -> None:
        old = self._segmenter.batchers.get(stored.name)
        # Another dictionary: whoever goes through the one before must not see it change.
        self._segmenter.batchers = {**self._segmenter.batchers, stored.name: batcher}
        self._running[stored.name] = stored
        self._metrics.reloaded(stored.name, "used")
        instead = f" instead of version {old.engine.info.ref.version}" if old else ""
        log.info("Version %s of %s is used%s", stored.version, stored.name, instead)
        if old:
            retiring.create_task(_retire(old))


async def _retire(batcher: Batcher) -> None:
    """Close an engine that gets no more jobs, as soon as it has none left."""
    await batcher.wait_until_idle()
    await asyncio.to_thread(batcher.engine.close)


@asynccontextmanager
async def rolling(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, running: Iterable[StoredModel]
) -> AsyncIterator[None]:
    """Follow the repository until the end of the block; never, if it isn't to be looked at or nothing came from it."""
    stored = list(running)
    if not stored or not settings.repository_poll_seconds:
        yield
        return
    watching = asyncio.create_task(HotReloader(segmenter, settings, metrics, stored).watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
