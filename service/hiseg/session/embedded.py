"""Runs models in this process for programs that would otherwise need a service: commands, scripts, other packages.

Jobs are batched as a service batches its requests. Nobody is refused for load, since who asks bounds what it asks for;
the limits of images and boxes are those of the settings. Only models that are asked for are loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from typing import TypeVar

from hiseg.api.boxes import check_count
from hiseg.api.embedded import segment_embedded
from hiseg.api.exchange import Write
from hiseg.api.options import Boxes, FindDefaults, Options
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import ImageSource
from hiseg.core.job import Mode
from hiseg.core.model_choice import choose_model, default_model, finder_model
from hiseg.core.result import ModelRef, Result
from hiseg.engines.base import ModelInfo, Outputs
from hiseg.engines.choice import choose_graph
from hiseg.engines.onnx import OnnxEngine
from hiseg.images.limits import ImageLimits
from hiseg.masks.memory import NOTHING, WritingCost
from hiseg.models.int8 import open_version
from hiseg.models.repository import NoDefaultVariant, StoredModel, find_repository, stored_models
from hiseg.models.running import engine_running, image_thread_count, new_segmenter
from hiseg.models.stored_variant import stored_outputs, stored_ref
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

NO_ADMISSION_LIMITS = {"max_wait_ms": 3_600_000, "max_held_bytes": 2**40}
"""Settings with which admission control refuses nobody: here its callers bound what is in flight."""
T = TypeVar("T")
Stored = Mapping[ModelRef, tuple[StoredModel, Outputs]]
"""The models of a repository, and what they compute."""


class EmbeddedSegmenter:
    """Segments images in this process; made by :func:`embedded_segmenter`, and used on its event loop.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service.
        stored: the models of the repository, and what they compute.
        models: keeps the models that are loaded, and closes them.
    """

    model: ModelInfo
    """The model of jobs whose options name none."""

    def __init__(
        self,
        segmenter: Segmenter,
        settings: Settings,
        stored: Stored,
        models: AsyncExitStack,
    ) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._stored = stored
        self._models = models
        self._metrics = Metrics()
        self._loading = asyncio.Lock()

    @property
    def limits(self) -> ImageLimits:
        """Limits of an image."""
        return self._segmenter.limits

    async def segment(
        self,
        image: bytes | ImageSource,
        boxes: Boxes,
        options: Options,
        write: Write[T],
        *,
        deadline: float | None = None,
        cost: WritingCost = NOTHING,
    ) -> tuple[Result, T]:
        """Segment an image; any number may be on their way at once, and share batches.

        Args:
            image: encoded, or an image source.
            boxes: boxes of the people; see :data:`Boxes`.
            options: what to do. A model that they name is loaded when it is first asked for; ``deadline_ms`` isn't
                looked at.
            write: writes the answer, in a worker thread unless that would take longer than writing it.
            deadline: when the answer is of no use any more, on :func:`time.monotonic`'s clock; None: never.
            cost: what ``write`` takes of memory; see :func:`hiseg.api.encoding.writing_cost`.

        Returns:
            The result and what ``write`` returned.

        Raises:
            HisegError: the image, the boxes or the options are invalid, the deadline has passed, or no engine answers.
            ModelError: a model that the options name can't be used.
        """
        if boxes is not None and not callable(boxes):
            check_count(len(boxes), self._settings.max_boxes)
        model = self.model
        if options.model is not None or options.variant is not None:
            model = await self.load(options.model, options.variant)
        if options.mode is Mode.BINARY and not (boxes and model.has_masks):
            await self._load_foreground(model.ref.name)
        if callable(boxes) or options.looks_for_people(None if boxes is None else len(boxes)):
            await self._load_finder()
        # There are no callers to tell apart, but what may take its time and what may not.
        client, name, settings = options.priority.value, model.ref.name, self._settings
        finding = FindDefaults(settings.find_threshold, settings.max_boxes) if self._segmenter.finder else None
        return await segment_embedded(
            self._segmenter,
            image,
            boxes,
            options,
            name,
            write,
            client=client,
            deadline=deadline,
            cost=cost,
            finding=finding,
        )

    def choose(self, model: str | None, variant: str | None) -> ModelRef:
        """The model that a request with these options asks for, loaded or not; see :func:`choose_model`.

        Raises:
            InvalidRequest: there is no such model or variant, or the model is of another variant.
        """
        masks, others = split(self._stored)
        return choose_model(masks, model, variant, self._settings.default_variant, others)

    async def load(self, model: str | None, variant: str | None) -> ModelInfo:
        """Load the model that a request with these options asks for, unless it is loaded already.

        Args:
            model: its name; None: any.
            variant: its variant; None: any.

        Raises:
            InvalidRequest: there is no such model or variant, or the model is of another variant.
            ModelError: it can't be used.
        """
        return await self._load(self.choose(model, variant))

    async def _load_foreground(self, asked: str) -> None:
        """Load the model that gives the foreground of an image where the model ``asked`` is asked for, if any does."""
        computes = {ref: outputs for ref, (_, outputs) in self._stored.items()}
        model = next(ref for ref in computes if ref.name == asked)
        with suppress(InvalidRequest):  # as the segmenter will say if it is needed
            await self._load(choose_graph(computes, model, Mode.BINARY, has_boxes=False)[0])

    async def _load_finder(self) -> None:
        """Load the model that finds people, if there is any."""
        if finder := finder_of(self._stored):
            await self._load(finder)

    async def _load(self, chosen: ModelRef) -> ModelInfo:
        async with self._loading:
            if chosen.name not in self._segmenter.batchers:
                (version, _), settings = self._stored[chosen], self._settings
                engine = (await open_version(version, settings.int8, settings.threads, shares_later=True)).engine
                self._models.enter_context(closing(engine))
                running = engine_running(self._segmenter, engine, self._settings, self._metrics)
                await self._models.enter_async_context(running)
        return self._segmenter.batchers[chosen.name].engine.info


def split(stored: Stored) -> tuple[list[ModelRef], list[ModelRef]]:
    """The models that give masks, and the others."""
    masks = [ref for ref, (_, outputs) in stored.items() if Outputs.MASKS in outputs]
    return masks, [ref for ref in stored if ref not in masks]


def finder_of(stored: Stored) -> ModelRef | None:
    """The model that finds people; None: there is none."""
    return finder_model(ref for ref, (_, outputs) in stored.items() if Outputs.BOXES in outputs)


def stored_in(settings: Settings) -> Stored:
    """The models of the repository, and what they compute; none is opened.

    Raises:
        NoModels: the repository holds no model.
    """
    found = stored_models(find_repository(settings.model_repository))
    return {stored_ref(each): (each, stored_outputs(each)) for each in found}


def stored_finder(settings: Settings) -> ModelRef | None:
    """The model of the repository that finds people; None: there is none.

    Raises:
        NoModels: the repository holds no model.
    """
    return finder_of(stored_in(settings))


@asynccontextmanager
async def embedded_segmenter(
    settings: Settings, *, model: str | None = None, variant: str | None = None
) -> AsyncIterator[EmbeddedSegmenter]:
    """Keep a model loaded until the end of the block, and threads that decode images and draw masks.

    Args:
        settings: settings of the service: its repository, limits, batches and threads.
        model: name of the model; None: the variant decides.
        variant: its variant; None: the name decides, or else it is the default variant.

    Raises:
        NoModels: the repository holds no model.
        NoDefaultVariant: neither a model nor a variant is asked for, and the default variant isn't there.
        InvalidRequest: the model or the variant that is asked for isn't there.
        ModelError: the model doesn't keep the tensor contract, or the default variant is missing and a file damaged.
    """
    unlimited = settings.model_copy(update=NO_ADMISSION_LIMITS)
    stored = stored_in(unlimited)
    masks, _ = split(stored)
    if model is None and variant is None and default_model(masks, unlimited.default_variant) is None:
        for ref, (each, _) in stored.items():
            # A file that is damaged may be the one that is missed.
            (await asyncio.to_thread(OnnxEngine, each.path, ref.name, ref.version, threads=1)).close()
        raise NoDefaultVariant(unlimited.default_variant, masks)
    with ThreadPoolExecutor(image_thread_count(unlimited), thread_name_prefix="worker") as executor:
        async with AsyncExitStack() as models:
            segmenter = new_segmenter(unlimited, executor)
            embedded = EmbeddedSegmenter(segmenter, unlimited, stored, models)
            embedded.model = await embedded.load(model, variant)
            yield embedded
