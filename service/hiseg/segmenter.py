"""The way of a request, in one page. Knows nothing of HTTP, gRPC or the engine's kind."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from hiseg.batching.admission import Admission, Reservation
from hiseg.batching.batcher import NO_ENGINE, Batcher
from hiseg.batching.work import Prepared, Served, Work
from hiseg.core.box import Box
from hiseg.core.canvas import Placement, choose_canvas, to_canvas
from hiseg.core.errors import DeadlineExceeded, InvalidRequest, Overloaded, Unavailable
from hiseg.core.image import ImageSource
from hiseg.core.job import Job, Mode
from hiseg.core.result import Instance, Result
from hiseg.engines.base import ModelInfo, RequestedOutputs
from hiseg.images.encoded import Encoded, ImageLimits, inspect
from hiseg.masks.draw import draw_masks, mask_pixels
from hiseg.masks.logits import log_odds
from hiseg.observability.tracing import OFF, Stage, Tracing

QUICK_PIXELS = 2**17
"""Masks over so few pixels are drawn sooner than they are handed to a thread and back."""
QUICK_PICTURE = 2**19
"""A JPEG or raw frame of so few pixels is decoded in about two milliseconds."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Laid(Prepared):
    """A job's input, and what had to be done to read its picture."""

    notes: tuple[str, ...]


class Segmenter:
    """Turns images and boxes into masks.

    Args:
        workers: threads for decoding and drawing.
        limits: what images are taken.
        admission: who is let in.
        tracing: who is told of the stages.
    """

    def __init__(self, workers: Executor, limits: ImageLimits, admission: Admission, tracing: Tracing = OFF) -> None:
        self.batchers: dict[str, Batcher] = {}
        self.limits = limits
        self.admission = admission
        self.workers = workers
        self.tracing = tracing

    @property
    def models(self) -> list[ModelInfo]:
        """What is served; nothing while the service starts."""
        return [batcher.engine.info for batcher in self.batchers.values()]

    def model_for(self, variant: str) -> ModelInfo:
        """The model of a variant.

        Raises:
            InvalidRequest: there is none.
        """
        for info in self.models:
            if info.ref.variant == variant:
                return info
        known = sorted(info.ref.variant for info in self.models)
        raise InvalidRequest(
            f"variant {variant!r} is not served; there is {', '.join(known)}",
            field="variant",
            limit=known,
            value=variant,
        )

    def check_ready(self, model: str | None = None) -> None:
        """Say whether requests shall be sent here: they are taken, and a model's engine, or any, is there.

        Raises:
            Unavailable: starting, about to drain, draining, or no such engine answers.
        """
        self.admission.check_ready()
        self._check_engines(model)

    def _check_engines(self, model: str | None = None) -> None:
        batchers = self.batchers.values() if model is None else [self.batchers[model]]
        if not any(batcher.engine.slots for batcher in batchers):
            raise Unavailable(NO_ENGINE)

    def check_capacity(self, reservation: Reservation, deadline: float | None) -> None:
        """Refuse a request before it is read, if no model could take even the smallest job.

        Args:
            reservation: the request's; it holds the smallest canvas from now on.
            deadline: the request's, on :func:`time.monotonic`'s clock, as far as it is known; None: not known.

        Raises:
            Unavailable: no model has an engine that answers, or requests are not taken.
            Overloaded: so it is.
            DeadlineExceeded: so it is, and it would be on an idle service.
        """
        self.admission.check_open()
        self._check_engines()
        canvases = [canvas for info in self.models for canvas in info.canvases]
        reservation.reserve(reservation.bytes + min((3 * height * width for height, width in canvases), default=0))
        refusals: list[Overloaded | DeadlineExceeded] = []
        for batcher in self.batchers.values():
            try:
                batcher.check_capacity(reservation.client, deadline)
                return
            except (Overloaded, DeadlineExceeded) as error:
                refusals.append(error)
        if refusals:
            raise min(refusals, key=lambda error: error.retry_after if isinstance(error, Overloaded) else math.inf)

    def inspect(self, data: bytes) -> Encoded:
        """Read an image's header; see :func:`hiseg.images.encoded.inspect` for limits and errors."""
        return inspect(data, self.limits)

    async def segment(
        self, job: Job, reservation: Reservation, write: Callable[[Result], T], quick: bool = False
    ) -> tuple[Result, T]:
        """Masks for a job: one instance per box, in the order sent.

        Args:
            job: what is asked.
            reservation: the request's, from :meth:`Admission.admit`.
            write: makes the answer of the result, in the thread that drew the masks.
            quick: ``write`` takes no longer than drawing; then few pixels aren't worth a thread.

        Returns:
            The result and what ``write`` made of it.

        Raises:
            DeadlineExceeded: not done by the job's deadline.
            TooLarge: the boxes cover too many pixels.
            Overloaded: the job would wait too long, or holds more bytes than are free.
            UndecodableImage: the picture is damaged.
            Superseded: a newer job took its place; jobs that are ``latest`` alone.
        """
        left = None if job.deadline is None else job.deadline - time.monotonic()
        try:
            async with asyncio.timeout(left) as limit:
                return await self._segment(job, reservation, write, quick)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded("not done before the deadline", field="deadline_ms") from error

    async def _segment(
        self, job: Job, reservation: Reservation, write: Callable[[Result], T], quick: bool
    ) -> tuple[Result, T]:
        batcher = self.batchers[job.model]
        info = batcher.engine.info
        width, height = job.image.width, job.image.height
        placement = choose_canvas(height, width, info.canvases, info.resize)
        boxes = [box.clipped(width, height) for box in job.boxes]
        binary = job.mode is Mode.BINARY
        visible = [] if binary and not info.foreground_boxes else [box for box in boxes if not box.is_empty]
        crops = [Box(0, 0, width, height)] if binary else [box.scaled(info.crop_scale) for box in visible]
        covered = mask_pixels(crops, width, height, job.post_processing)
        reservation.reserve(job.image.nbytes + 3 * placement.canvas[0] * placement.canvas[1] + covered)

        def prepare() -> Laid:
            image = job.image.decode()
            return Laid(to_canvas(image.pixels, placement), placement.rois(visible), image.notes)

        def draw_and_write() -> tuple[Result, T]:
            started = time.perf_counter()
            instances, foreground = draw(job, boxes, placement, served)
            drawn = time.perf_counter()
            timings = {
                "decode": served.decode_ms,
                "queue": served.queue_ms,
                "infer": served.infer_ms,
                "masks": (drawn - started) * 1000,
            }
            made_by = served.prediction.model
            result = Result(width, height, served.prepared.notes, instances, foreground, made_by, timings)
            written = write(result)
            timings["encode"] = (time.perf_counter() - drawn) * 1000
            return result, written

        work = Work(
            placement.canvas,
            len(visible),
            prepare,
            job.client,
            job.priority,
            job.deadline,
            quick=self._alone and decodes_quickly(job.image),
            latest=job.latest,
            requested=RequestedOutputs.FOREGROUND if binary else RequestedOutputs.MASKS,
            traceparent=job.traceparent,
        )
        served = await batcher.submit(work)
        came_back = time.perf_counter()
        few = job.post_processing.is_plain and not binary and covered <= QUICK_PIXELS
        if quick and self._alone and few:
            answer = draw_and_write()
        else:
            answer = await asyncio.get_running_loop().run_in_executor(self.workers, draw_and_write)
        batcher.wait_estimator.answered((time.perf_counter() - came_back) * 1000)
        if self.tracing.is_on:
            self.tracing.stages(job.traceparent, stages(served, answer[0].timings_ms, batcher.clock()))
        return answer

    @property
    def _alone(self) -> bool:
        """Nobody waits for the event loop: under load the threads work, and the loop goes on with the next batch."""
        return self.admission.active_requests == 1


def decodes_quickly(picture: ImageSource) -> bool:
    """On the event loop it is done sooner than in a thread and back, and nobody could tell the pause."""
    # PNG and WebP take up to ten times as long.
    slow = isinstance(picture, Encoded) and (picture.kind != "JPEG" or picture.is_progressive)
    # A file of more bytes than pixels has more in it than the picture.
    return not slow and max(picture.nbytes // 3, picture.width * picture.height) <= QUICK_PICTURE


def stages(served: Served[Laid], timings: Mapping[str, float], now: float) -> list[Stage]:
    """When each stage of a request that ends now began. Waiting goes on while the picture is decoded.

    Args:
        served: what the batcher knows.
        timings: milliseconds of each stage.
        now: on the batcher's clock.
    """
    encode_s = timings["encode"] / 1000
    return [
        Stage("queue", now - served.arrived, (served.began - served.arrived) * 1000),
        Stage("decode", now - served.decode_began, served.decode_ms),
        Stage("infer", now - served.began, served.infer_ms),
        Stage("masks", encode_s + timings["masks"] / 1000, timings["masks"]),
        Stage("encode", encode_s, timings["encode"]),
    ]


def draw(
    job: Job, boxes: list[Box], placement: Placement, served: Served[Laid]
) -> tuple[tuple[Instance, ...], Instance | None]:
    """Instances of the boxes, or in binary mode the foreground, from the engine's rows."""
    width, height = job.image.width, job.image.height
    if job.mode is Mode.BINARY:
        content_h, content_w = placement.content
        odds = log_odds(served.prediction.foreground[0, :content_h, :content_w])
        (everybody,) = draw_masks([odds], [Box(0, 0, width, height)], width, height, job.post_processing)
        return (), everybody
    prediction = served.prediction
    return draw_masks(prediction.logit_margins, boxes, width, height, job.post_processing, prediction.crop_scale), None
