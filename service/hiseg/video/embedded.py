"""Makes masks without a server: the engine runs in this process, and batches frames as the service batches requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict

from hiseg.api.embedded import segment_embedded
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

NO_ADMISSION_LIMITS = {"max_wait_ms": 3_600_000, "max_held_bytes": 2**40}
"""The pipeline bounds the frames in flight, so the service's admission control must refuse none."""


class EmbeddedMasker:
    """A :class:`hiseg.video.frame.Masker` over a segmenter.

    Args:
        segmenter: runs the model.
        model: name of the model.
        options: options of every frame.
    """

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
async def embedded_masker(
    settings: Settings,
    executor: ThreadPoolExecutor,
    model: str | None,
    variant: str | None,
    post_processing: PostProcessing,
) -> AsyncIterator[EmbeddedMasker]:
    """Keep the models loaded until the end of the block.

    Raises:
        NoModels: there are no models.
        ModelError: a model can't be used.
        InvalidRequest: the model or the variant isn't there, or the two don't go together.
    """
    unlimited = settings.model_copy(update=NO_ADMISSION_LIMITS)
    segmenter = new_segmenter(unlimited, executor)
    async with models_running(segmenter, unlimited, Metrics()):
        chosen = segmenter.choose_model(model, variant, unlimited.default_variant)
        yield EmbeddedMasker(segmenter, chosen.ref.name, Options(**asdict(post_processing)))
