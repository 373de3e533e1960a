"""Makes masks without a server: the engine runs in this process, and batches frames as the service batches requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from hiseg.api.options import Options
from hiseg.core.box import Box
from hiseg.core.image import Image
from hiseg.core.job import PostProcessing
from hiseg.core.result import Instance
from hiseg.session.embedded import EmbeddedSegmenter, embedded_segmenter
from hiseg.settings import Settings
from hiseg.video.frame import Frame


class EmbeddedMasker:
    """A :class:`hiseg.video.frame.Masker` over models in this process.

    Args:
        segmenter: runs the model.
        options: options of every frame.
    """

    def __init__(self, segmenter: EmbeddedSegmenter, options: Options) -> None:
        self._segmenter = segmenter
        self._options = options

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...]:
        image = Image(frame.pixels)
        result, _ = await self._segmenter.segment(image, lambda *_: boxes, self._options, lambda *_: None)
        return result.instances


@asynccontextmanager
async def embedded_masker(
    settings: Settings, model: str | None, variant: str | None, post_processing: PostProcessing
) -> AsyncIterator[EmbeddedMasker]:
    """Keep the model loaded until the end of the block.

    Raises:
        NoModels: there are no models.
        ModelError: the model can't be used.
        InvalidRequest: the model or the variant isn't there, or the two don't go together.
    """
    async with embedded_segmenter(settings, model=model, variant=variant) as segmenter:
        yield EmbeddedMasker(segmenter, Options(**asdict(post_processing)))
