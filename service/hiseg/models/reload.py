"""Hot reload: a version that is published replaces the one in use while the service runs, and no request is lost.

The repository is polled. A new version is loaded beside the one in use, warmed up and tested; only then do new jobs go
to it. The old one finishes the jobs that it has, and is closed. A version that fails its test is refused with one line
in the log, and the version in use stays. Where INT8 is to run, a version's file in INT8 is tried first;
one that is being copied is waited for, since ``model.onnx`` would run at once in its place, and be replaced again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from hiseg.batching.batcher import Batcher
from hiseg.core.model_choice import shared_variants
from hiseg.core.result import ModelRef
from hiseg.core.settled_files import SETTLED_S
from hiseg.engines.base import ModelInfo, with_masks
from hiseg.engines.contract import ModelError
from hiseg.engines.metadata import one_line
from hiseg.models.int8 import check_same_model, files_of, is_int8, refusal, why_not_int8
from hiseg.models.repository import StoredModel, find_repository, stored_versions
from hiseg.models.self_test import run_self_test, warm_up
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

if TYPE_CHECKING:
    from hiseg.engines.onnx import OnnxEngine

log = logging.getLogger(__name__)
LOAD_TIMEOUT_S = 60.0
"""Seconds that loading, warm-up and self-test of a version may take; after them it is refused."""


class HotReloader:
    """Polls the repository, and replaces models by their new versions.

    Args:
        segmenter: the segmenter whose batchers are replaced.
        settings: settings of the service: the repository, how often to poll it, and the limits of batches.
        metrics: count the versions that are used or refused.
        running: the files in use.
        refused: files that were tried in vain.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        settings: Settings,
        metrics: Metrics,
        running: Iterable[StoredModel],
        refused: Iterable[StoredModel] = (),
    ) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._repository = find_repository(settings.model_repository)
        self._metrics = metrics
        self._running = {stored.name: stored for stored in running}
        self._refused = {*refused}
        self._int8 = why_not_int8(settings.int8) is None
        self._gone: set[str] = set()
        self._seen: dict[StoredModel, float] = {}
        """When each file in INT8 was first seen as it is now."""

    async def watch(self) -> None:
        """Poll the repository until cancelled."""
        async with AsyncExitStack() as batchers, asyncio.TaskGroup() as retiring:
            while True:
                await asyncio.sleep(self._settings.repository_poll_seconds)
                try:
                    await self._poll(batchers, retiring)
                except OSError as error:  # a network drive that is away for a while: what runs goes on
                    log.warning("%s: the model repository cannot be read: %s", self._repository, error)

    async def _poll(self, batchers: AsyncExitStack, retiring: asyncio.TaskGroup) -> None:
        found = await asyncio.to_thread(self._find)
        there = {stored for files in found.values() for stored in files}
        self._refused &= there
        self._seen = {stored: self._seen.get(stored, time.monotonic()) for stored in there if is_int8(stored)}
        for name in self._running.keys() - found.keys() - self._gone:
            log.warning("%s is not in the repository any more; it is served on until the service ends", name)
        self._gone = self._running.keys() - found.keys()
        for name, files in found.items():
            for stored in files:
                if stored == self._running.get(name) or not self._is_settled(stored):
                    break
                if stored not in self._refused and (batcher := await self._load(stored)):
                    batchers.callback(batcher.engine.close)
                    await batchers.enter_async_context(batcher.running())
                    self._replace(stored, batcher, retiring)
                    break

    def _find(self) -> dict[str, list[StoredModel]]:
        """The files of each model, the one that is to run first."""
        versions = stored_versions(self._repository)
        return {name: [file for each in of for file in files_of(each, self._int8)] for name, of in versions.items()}

    def _is_settled(self, stored: StoredModel) -> bool:
        """Whether a file in INT8 has been left alone for a moment; others are found out about by opening them."""
        return not is_int8(stored) or time.monotonic() - self._seen[stored] >= SETTLED_S

    async def _load(self, stored: StoredModel) -> Batcher | None:
        """Load, warm up and test a file; return its batcher, or None if it is refused."""
        # Not at the top: who runs models on Triton alone needs no ONNX Runtime.
        from hiseg.engines.onnx import OnnxEngine

        engine: OnnxEngine | None = None
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                if is_int8(stored):
                    await asyncio.to_thread(check_same_model, stored)
                engine = await asyncio.to_thread(
                    OnnxEngine, stored.path, stored.name, stored.version, self._settings.threads
                )
                self._check_use(engine.info)
                watcher = self._metrics.for_model(stored.name)
                batcher = Batcher(
                    engine,
                    self._segmenter.workers,
                    watcher,
                    self._settings.batch_limits,
                    tracing=self._segmenter.tracing,
                )
                await warm_up(batcher, quick=True)
                await run_self_test(engine, self._repository)
                return batcher
        except Exception as error:
            self._refused.add(stored)
            self._metrics.count_reload(stored.name, "refused")
            if is_int8(stored):
                log.warning("%s", refusal(stored, error))
            else:
                why = one_line(error) or type(error).__name__
                log.error("Version %s of %s is not used: %s", stored.version, stored.name, why)
            if engine:
                engine.close()
            return None
        except asyncio.CancelledError:
            if engine:
                engine.close()
            raise

    def _check_use(self, info: ModelInfo) -> None:
        """Refuse a version of another variant, or without the masks of the one before: callers ask for a variant,
        which would vanish with the version in use."""
        ref = info.ref
        if ref.name in self._running:
            before = self._segmenter.batchers[ref.name].engine.info
            if before.ref.variant != ref.variant:
                was = before.ref
                raise ModelError(f"it is of variant {ref.variant}, and version {was.version} of {was.variant}")
            if not info.keeps(before):
                gives, gave = " and ".join(info.outputs.names), " and ".join(before.outputs.names)
                raise ModelError(f"it gives {gives} alone, and version {before.ref.version} {gave}")

    def _replace(self, stored: StoredModel, batcher: Batcher, retiring: asyncio.TaskGroup) -> None:
        old = self._segmenter.batchers.get(stored.name)
        # A new dictionary: code that iterates over the old one must not see it change.
        self._segmenter.batchers = {**self._segmenter.batchers, stored.name: batcher}
        self._running[stored.name] = stored
        self._metrics.count_reload(stored.name, "used")
        instead = _instead(batcher.engine.info.ref, old.engine.info.ref) if old else ""
        log.info("Version %s of %s is used%s", stored.version, stored.name, instead)
        if old is None and batcher.engine.info.has_masks:
            self._warn_of_shared_variant(batcher.engine.info.ref.variant)
        if old:
            retiring.create_task(_retire(old))

    def _warn_of_shared_variant(self, variant: str) -> None:
        """Say which model answers for a variant from now on, if another model of it has just joined."""
        of_variant = [ref for ref in with_masks(self._segmenter.models) if ref.variant == variant]
        for sentence in shared_variants(of_variant):
            log.warning("%s", sentence)


def _instead(new: ModelRef, old: ModelRef) -> str:
    """What a version or a precision is used in place of, as the end of a sentence."""
    if new.version == old.version and new.precision != old.precision:
        return f" in {new.precision or 'an unknown precision'} instead of {old.precision or 'an unknown one'}"
    return f" instead of version {old.version}"


async def _retire(batcher: Batcher) -> None:
    """Close the engine of a batcher that gets no more jobs, as soon as it has finished those it has."""
    await batcher.wait_until_idle()
    await asyncio.to_thread(batcher.engine.close)


@asynccontextmanager
async def hot_reloading(
    segmenter: Segmenter,
    settings: Settings,
    metrics: Metrics,
    running: Iterable[StoredModel],
    refused: Iterable[StoredModel] = (),
) -> AsyncIterator[None]:
    """Reload models in the background until the end of the block.

    Nothing is reloaded if polling is off, or if no model came from the repository.
    """
    stored = list(running)
    if not stored or not settings.repository_poll_seconds:
        yield
        return
    watching = asyncio.create_task(HotReloader(segmenter, settings, metrics, stored, refused).watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
