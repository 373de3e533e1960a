"""Makes the masks of photos in this process: photos in progress share batches, as requests of a service do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from hiseg.api.options import Options
from hiseg.client.request import FrameOptions
from hiseg.client.result import Result
from hiseg.core import errors
from hiseg.core import result as core_result
from hiseg.core.command_errors import CommandError
from hiseg.core.image import ImageSource
from hiseg.core.stop import Stop
from hiseg.engines.contract import ModelError
from hiseg.photos.masker import Rows
from hiseg.photos.pipeline import PhotoError
from hiseg.session import answer
from hiseg.session.embedded import EmbeddedSegmenter, embedded_segmenter
from hiseg.session.request import read_options
from hiseg.settings import MAX_COUNT, Settings

NO_LIMITS = {"max_boxes": MAX_COUNT, "max_batch_boxes": MAX_COUNT}
"""Settings that take any crowd: it is the user's own."""
OF_A_PHOTO = (errors.InvalidRequest, errors.TooLarge, errors.UnsupportedImage, errors.UndecodableImage)
"""Errors that say what is wrong with a photo or its boxes."""
T = TypeVar("T")


class EmbeddedMasker:
    """A :class:`hiseg.photos.masker.Masker` over a segmenter in this process.

    Args:
        segmenter: runs the model.
        options: of every photo.
    """

    def __init__(self, segmenter: EmbeddedSegmenter, options: Options) -> None:
        self._segmenter = segmenter
        self._options = options

    @property
    def model(self) -> str:
        """Name and version of the model."""
        ref = self._segmenter.model.ref
        return f"{ref.name}/{ref.version}"

    async def segment(self, photo: bytes, boxes: Rows | None, write: Callable[[Result], T]) -> T:
        """See :meth:`hiseg.photos.masker.Masker.segment`."""

        def write_result(image: ImageSource, result: core_result.Result, stop: Stop) -> T:
            return write(answer.to_result(result, answer.write(image, result, stop)))

        try:
            _, written = await self._segmenter.segment(photo, boxes, self._options, write_result)
        except OF_A_PHOTO as error:
            raise PhotoError(error.detail) from error
        except errors.HisegError as error:
            raise CommandError(error.detail) from error
        return written


@asynccontextmanager
async def embedded_masker(settings: Settings, options: FrameOptions) -> AsyncIterator[EmbeddedMasker]:
    """Keep the model loaded until the end of the block; see :func:`hiseg.photos.open.open_masker`."""
    unlimited, chosen = settings.model_copy(update=NO_LIMITS), read_options(options)
    try:
        async with embedded_segmenter(unlimited, model=chosen.model, variant=chosen.variant) as segmenter:
            # It has the model now, and needn't look for it with every photo.
            yield EmbeddedMasker(segmenter, chosen.model_copy(update={"model": None, "variant": None}))
    except ModelError as error:
        raise CommandError(str(error)) from error
