"""The segmenter with its models, without any transport: what the service and programs around it run alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager

from hiseg.batching.admission import Admission
from hiseg.batching.batcher import Batcher
from hiseg.batching.workers import Workers, WorkingMemory, thread_count
from hiseg.core.model_choice import default_model
from hiseg.engines.base import Engine, with_masks
from hiseg.engines.cores import available_cores
from hiseg.images.limits import ImageLimits
from hiseg.models.loader import LoadedModel, Loader, embedded_engines
from hiseg.models.repository import NoDefaultVariant
from hiseg.observability.metrics import Metrics
from hiseg.observability.tracing import OFF, Tracing
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

REQUESTS_PART = 5 / 8
"""Part of the memory that requests may hold while they are received, wait and are answered; the rest is kept for
decoding and drawing, which get more of it while requests hold less."""


def new_segmenter(settings: Settings, executor: Executor, tracing: Tracing = OFF) -> Segmenter:
    """Create a segmenter that has no models yet and accepts no requests.

    Args:
        settings: settings of the service.
        executor: has the threads that decode images and draw masks, best as many as :func:`image_thread_count` says.
        tracing: receives the stages of each request.
    """
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
    admission = Admission(int(settings.max_held_bytes * REQUESTS_PART))
    memory = WorkingMemory(settings.max_held_bytes, admission)
    workers = Workers(executor, settings.image_threads or available_cores(), memory)
    return Segmenter(workers, limits, admission, tracing)


def image_thread_count(settings: Settings) -> int:
    """How many threads the executor of :func:`new_segmenter` needs."""
    return thread_count(settings.image_threads or available_cores())


@asynccontextmanager
async def engine_running(
    segmenter: Segmenter, engine: Engine, settings: Settings, metrics: Metrics
) -> AsyncIterator[None]:
    """Run a batcher for an engine until the end of the block; the segmenter has it under the model's name.

    Args:
        segmenter: gets the batcher.
        engine: runs the model.
        settings: settings of the service.
        metrics: metrics that the batcher reports to.
    """
    name = engine.info.ref.name
    watcher = metrics.for_model(name)
    batcher = Batcher(engine, segmenter.workers, watcher, settings.batch_limits, tracing=segmenter.tracing)
    async with batcher.running():
        segmenter.batchers[name] = batcher
        engine.subscribe(segmenter.engines_changed)
        yield


@asynccontextmanager
async def models_running(
    segmenter: Segmenter, settings: Settings, metrics: Metrics, load: Loader = embedded_engines
) -> AsyncIterator[Sequence[LoadedModel]]:
    """Load the models, and run a batcher for each until the end of the block.

    Args:
        segmenter: gets the batchers.
        settings: settings of the service.
        metrics: metrics that the batchers report to.
        load: loads the models.

    Raises:
        NoDefaultVariant: no model is of the default variant, nor is one called so.
        Exception: whatever ``load`` raises.
    """
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(load(settings, metrics))
        for model in models:
            await stack.enter_async_context(engine_running(segmenter, model.engine, settings, metrics))
        refs = with_masks(model.engine.info for model in models)
        if default_model(refs, settings.default_variant) is None:
            raise NoDefaultVariant(settings.default_variant, refs)
        yield models
