"""The way of a request, in one page. Knows nothing of HTTP, gRPC or the engine's kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np

from service.batching.admission import Admission
from service.batching.batcher import Batcher, Served
from service.canvas import Placement, choose_canvas, to_canvas
from service.domain import Box, CropMask, Image, Instance, Job, Mode, Result
from service.engines.base import Batch, ModelInfo
from service.errors import DeadlineExceeded, InvalidRequest
from service.images import ImageLimits, decode
from service.masks.crop import crop_mask, log_odds

T = TypeVar("T")


class Segmenter:
    """Turns images and boxes into masks.

    Args:
        batchers: one per model, by the model's name.
        workers: threads for decoding and drawing.
        limits: what images are taken.
        admission: who is let in.
    """

    def __init__(
        self, batchers: Mapping[str, Batcher], workers: Executor, limits: ImageLimits, admission: Admission
    ) -> None:
        self.batchers = batchers
        self.limits = limits
        self.admission = admission
        self._workers = workers

    @property
    def models(self) -> list[ModelInfo]:
        """What is served."""
        return [batcher.engine.info for batcher in self.batchers.values()]

    def model_for(self, variant: str) -> str:
        """Name of the model of a variant.

        Raises:
            InvalidRequest: there is none.
        """
        for info in self.models:
            if info.ref.variant == variant:
                return info.ref.name
        known = sorted(info.ref.variant for info in self.models)
        raise InvalidRequest(
            f"variant {variant!r} is not served; there is {', '.join(known)}",
            field="variant",
            limit=known,
            value=variant,
        )

    async def off_loop(self, work: Callable[[], T]) -> T:
        """Run something that takes a while in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    async def decode(self, data: bytes) -> Image:
        """Decode an image off the event loop; see :func:`service.images.decode` for limits and errors."""
        return await self.off_loop(lambda: decode(data, self.limits))

    async def segment(self, job: Job) -> Result:
        """Masks for a job: one instance per box, in the order sent.

        Raises:
            DeadlineExceeded: not done within the job's timeout.
        """
        try:
            async with asyncio.timeout(job.timeout):
                return await self._segment(job)
        except TimeoutError as error:
            waited = f"{(job.timeout or 0) * 1000:.0f} ms"
            raise DeadlineExceeded(f"not done within {waited}", field="deadline_ms", limit=waited) from error

    async def _segment(self, job: Job) -> Result:
        batcher = self.batchers[job.model]
        info = batcher.engine.info
        placement = choose_canvas(job.image.height, job.image.width, info.canvases, info.resize)
        boxes = [box.clipped(job.image.width, job.image.height) for box in job.boxes]
        work = await self.off_loop(lambda: prepare(job, boxes, placement))
        served = await batcher.submit(work)
        started = time.perf_counter()
        instances, foreground = await self.off_loop(lambda: draw(job, boxes, placement, served))
        timings = {
            "queue": served.queue_ms,
            "infer": served.infer_ms,
            "masks": (time.perf_counter() - started) * 1000,
        }
        return Result(job.image.width, job.image.height, instances, foreground, info.ref, timings)


def prepare(job: Job, boxes: list[Box], placement: Placement) -> Batch:
    """The canvas of a job and the RoIs of its boxes (clipped; those outside the image are left out)."""
    visible = [] if job.mode is Mode.BINARY else [box for box in boxes if not box.is_empty]
    rois = np.concatenate([np.zeros((len(visible), 1), dtype=np.float32), placement.rois(visible)], axis=1)
    return Batch(to_canvas(job.image.pixels, placement)[None], rois)


def draw(
    job: Job, boxes: list[Box], placement: Placement, served: Served
) -> tuple[tuple[Instance, ...], Instance | None]:
    """Instances of the boxes, or in binary mode the foreground, from the engine's rows."""
    width, height = job.image.width, job.image.height
    if job.mode is Mode.BINARY:
        content_h, content_w = placement.content
        whole = Box(0, 0, width, height)
        odds = log_odds(served.prediction.foreground[0, :content_h, :content_w])
        return (), Instance(whole, *crop_mask(odds, whole, width, height, job.threshold))
    rows = iter(served.prediction.margins)
    instances = []
    for box in boxes:
        if box.is_empty:
            instances.append(Instance(box, CropMask.empty(), 0.0))
        else:
            instances.append(Instance(box, *crop_mask(next(rows), box, width, height, job.threshold)))
    return tuple(instances), None
