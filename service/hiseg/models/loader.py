"""Loads the models as the setting ``engine`` says: embedded, or on Triton with or without an embedded fallback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from hiseg.core.engine_settings import EMBEDDED, Fallback
from hiseg.core.extras import needing
from hiseg.core.model_choice import default_model
from hiseg.engines.base import Engine, with_masks
from hiseg.engines.fallback import FallbackEngine
from hiseg.engines.triton.address import parse_targets
from hiseg.models.canary import Canary
from hiseg.models.int8 import is_int8, open_version
from hiseg.models.repository import StoredModel, find_repository, local_repository, stored_models
from hiseg.models.self_test import run_self_test
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is loaded and can run batches.

    Attributes:
        engine: runs the model.
        canary: the image that the model is still to be tested with; None: it was tested already, or has no canary.
        stored: the file in the repository, if newer versions beside it are to replace the model at run time (see
            :mod:`hiseg.models.reload`); else None.
        refused: the version's file in INT8, where that was to run and can't be used; None: there is none.
    """

    engine: Engine
    canary: Canary | None = None
    stored: StoredModel | None = None
    refused: StoredModel | None = None


Loader = Callable[[Settings, Metrics], AbstractAsyncContextManager[Sequence[LoadedModel]]]
"""Loads the models at the start of a block, and closes their engines at its end."""


@asynccontextmanager
async def embedded_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[LoadedModel]]:
    """Load the newest version of every model in the repository into the embedded engine.

    Raises:
        ExtraMissing: ONNX Runtime isn't installed.
        NoModels: the repository holds no model.
        ModelError: one of them doesn't keep the tensor contract.
    """
    with _closing_engines(await _load(settings)) as models:
        yield models


@asynccontextmanager
async def triton_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[LoadedModel]]:
    """Use the models on Triton servers: all that the servers have or, with a fallback, all in the repository.

    Without a fallback this waits until a server runs the default model and has passed its self-test.

    Raises:
        ExtraMissing: the client for Triton isn't installed.
        NoModels, ModelError: with a fallback, those of :func:`embedded_engines`.
    """
    with needing(f"engine {settings.engine}"):
        from hiseg.engines.triton.discovery import discover
        from hiseg.engines.triton.engine import TritonEngine
    targets = parse_targets(settings.engine)
    repository = local_repository(settings.model_repository)

    async def self_test(engine: Engine) -> None:
        await run_self_test(engine, repository)

    async with AsyncExitStack() as stack:
        fallbacks: dict[str, Engine] = {}
        if settings.fallback is Fallback.ONNX:
            loaded = stack.enter_context(_closing_engines(await _load(settings)))
            fallbacks = {model.engine.info.ref.name: model.engine for model in loaded}
            for fallback in fallbacks.values():
                await self_test(fallback)
            infos = [model.engine.info for model in loaded]
        else:
            infos = await discover(targets, settings.default_variant)
        engines = [await stack.enter_async_context(TritonEngine(info, targets, self_test).running()) for info in infos]
        for engine in engines:
            metrics.register_endpoints(engine.info.ref.name, engine.reports)
        if fallbacks:
            yield [LoadedModel(FallbackEngine(e, fallbacks[e.info.ref.name])) for e in engines]
            return
        default = default_model(with_masks(engine.info for engine in engines), settings.default_variant)
        for engine in engines:
            if engine.info.ref == default:
                await engine.wait_until_usable()
        yield [LoadedModel(engine) for engine in engines]


async def _load(settings: Settings) -> list[LoadedModel]:
    async def load(version: StoredModel) -> LoadedModel:
        opened = await open_version(version, settings.int8, settings.threads)
        # A file in INT8 is tested before it is preferred to the other one.
        canary = None if is_int8(opened.file) else Canary.load(version.path.parent)
        return LoadedModel(opened.engine, canary, opened.file, opened.refused)

    return [await load(version) for version in stored_models(find_repository(settings.model_repository))]


@contextmanager
def _closing_engines(models: Sequence[LoadedModel]) -> Iterator[Sequence[LoadedModel]]:
    try:
        yield models
    finally:
        for model in models:
            model.engine.close()


def loader_for(settings: Settings) -> Loader:
    """The loader for the engine that the setting ``engine`` names."""
    return embedded_engines if settings.engine == EMBEDDED else triton_engines


def preloaded(*models: LoadedModel) -> Loader:
    """A loader of models that are loaded already; it only closes their engines at the end."""

    @asynccontextmanager
    async def load(settings: Settings, metrics: Metrics) -> AsyncIterator[Sequence[LoadedModel]]:
        with _closing_engines(models):
            yield models

    return load
