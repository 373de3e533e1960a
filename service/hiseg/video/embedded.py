"""Masks without a server: the engine in this process, batching frames as the service batches requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict

from hiseg.api.exchange import segment_embedded
from hiseg.api.options import Options
from hiseg.app import models_running, new_segmenter
from hiseg.core.box import Box
from hiseg.core.image import Image
from hiseg.core.job import PostProcessing
from hiseg.core.result import Instance
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.video.frame import Frame

NOBODY_ELSE = {"max_wait_ms": 3_600_000, "max_held_bytes": 2**40}
"""The pipeline bounds what is under way; the door, made for many callers, must not turn frames away."""


class Embedded:
    """A :class:`hiseg.video.frame.Masker` over a segmenter."""

    def __init__(self, segmenter: Segmenter, model: str, options: Options) -> None:
        self._segmenter = segmenter
        self._model = model
        self._options = options

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...]:
        image = Image(frame.pixels)
        result, _ = await segment_embedded(
            self._segmenter, image, lambda *_: boxes, self._options, self._model, lambda *_: None
        )
        return result.instances


@asynccontextmanager
async def embedded(
    settings: Settings, workers: ThreadPoolExecutor, variant: str | None, finish: PostProcessing
) -> AsyncIterator[Embedded]:
    """Load the models until the end of the block.

    Raises:
        FileNotFoundError: there are none.
        ModelError: one can't be used.
        InvalidRequest: the variant isn't among them.
    """
    alone = settings.model_copy(update=NOBODY_ELSE)
    segmenter = new_segmenter(alone, workers)
    async with models_running(segmenter, alone, Metrics()):
        model = segmenter.model_for(variant or alone.default_variant)
        yield Embedded(segmenter, model.ref.name, Options(**asdict(finish)))
