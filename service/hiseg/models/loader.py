"""Where engines come from: the embedded one, Triton, or Triton with the embedded one to fall back on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from hiseg.engines.base import Engine
from hiseg.engines.fallback import FallbackEngine
from hiseg.engines.onnx import OnnxEngine
from hiseg.engines.triton.address import parse_targets
from hiseg.models.canary import Canary
from hiseg.models.repository import StoredModel, stored_models
from hiseg.models.self_test import run_self_test
from hiseg.observability.metrics import Metrics
from hiseg.settings import EMBEDDED, Fallback, Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine, ready to be fed.

    Attributes:
        engine: what runs batches.
        canary: the picture that shows whether it is well; None: that was seen already, or can't be.
        stored: where it came from, if versions that are published beside it shall take its place; see
            :mod:`hiseg.models.reload`.
    """

    engine: Engine
    canary: Canary | None = None
    stored: StoredModel | None = None


Loader = Callable[[Settings, Metrics], AbstractAsyncContextManager[Sequence[Loaded]]]
"""Engines for as long as the block lasts."""


class ExtraMissing(Exception):
    """A setting needs packages that aren't installed; the text says how to get them."""


@asynccontextmanager
async def embedded_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[Loaded]]:
    """ONNX Runtime for every model of the repository.

    Raises:
        FileNotFoundError: the repository holds no model.
        ModelError: one of them doesn't keep the tensor contract.
    """
    with _closing(await asyncio.to_thread(_load, settings)) as models:
        yield models


@asynccontextmanager
async def triton_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[Loaded]]:
    """Triton for every model that its servers have, or for every model of the repository with a fallback.

    Without a fallback it waits until a server answers, and has seen a model through its trial.

    Raises:
        ExtraMissing: the client for Triton isn't installed.
        FileNotFoundError, ModelError: those of :func:`embedded_engines`, with a fallback only.
    """
    try:
        from hiseg.engines.triton.discovery import discover
        from hiseg.engines.triton.engine import TritonEngine
    except ImportError as error:
        raise ExtraMissing(f"engine {settings.engine} needs more packages: pip install 'hiseg[triton]'") from error
    targets = parse_targets(settings.engine)

    async def trial(engine: Engine) -> None:
        await run_self_test(engine, settings.model_repository)

    async with AsyncExitStack() as stack:
        spares: dict[str, Engine] = {}
        if settings.fallback is Fallback.ONNX:
            loaded = stack.enter_context(_closing(await asyncio.to_thread(_load, settings)))
            spares = {model.engine.info.ref.name: model.engine for model in loaded}
            for spare in spares.values():
                await trial(spare)
            infos = [model.engine.info for model in loaded]
        else:
            infos = await discover(targets, settings.default_variant)
        engines = [await stack.enter_async_context(TritonEngine(info, targets, trial).running()) for info in infos]
        for engine in engines:
            metrics.register_endpoints(engine.info.ref.name, engine.reports)
        if spares:
            yield [Loaded(FallbackEngine(e, spares[e.info.ref.name])) for e in engines]
            return
        default = [engine for engine in engines if engine.info.ref.variant == settings.default_variant]
        for engine in default:
            await engine.usable()
        yield [Loaded(engine) for engine in engines]


def _load(settings: Settings) -> list[Loaded]:
    def load(stored: StoredModel) -> Loaded:
        engine = OnnxEngine(stored.path, stored.name, stored.version, settings.threads)
        return Loaded(engine, Canary.load(stored.path.parent), stored)

    return [load(stored) for stored in stored_models(settings.model_repository)]


@contextmanager
def _closing(models: Sequence[Loaded]) -> Iterator[Sequence[Loaded]]:
    try:
        yield models
    finally:
        for model in models:
            model.engine.close()


def engines_of(settings: Settings) -> Loader:
    """The loader that the setting ``engine`` asks for."""
    return embedded_engines if settings.engine == EMBEDDED else triton_engines


def given(*models: Loaded) -> Loader:
    """Engines that are there already; closed at the end."""

    @asynccontextmanager
    async def load(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[Loaded]]:
        with _closing(models):
            yield models

    return load
