"""The pipeline of a request: put its image on a canvas, batch it, run it on an engine, draw masks, write the answer.

Transports call :meth:`Segmenter.segment`; nothing here knows HTTP, gRPC or what kind of engine runs the model.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from hiseg.batching.admission import Admission, Reservation
from hiseg.batching.batcher import NO_ENGINE, Batcher
from hiseg.batching.job import BatchJob
from hiseg.batching.workers import Workers
from hiseg.core.box import Box, bounding_box
from hiseg.core.canvas import Placement, choose_canvas
from hiseg.core.errors import DeadlineExceeded, InvalidRequest, Overloaded, Reason, Unavailable
from hiseg.core.job import Finding, Job, Mode
from hiseg.core.model_choice import choose_model, finder_model
from hiseg.core.result import ModelRef, Result
from hiseg.core.stop import Stop
from hiseg.engines.base import ModelInfo, Outputs, with_masks
from hiseg.engines.choice import choose_graph
from hiseg.images.encoded import EncodedImage, inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.draw import measure_crops
from hiseg.masks.memory import NOTHING, WritingCost
from hiseg.observability.tracing import OFF, Tracing
from hiseg.stages.draw import draw_and_write, list_stages
from hiseg.stages.find import FoundPeople, choose_people
from hiseg.stages.prepare import Preparing, decodes_quickly, preparing_of

MAX_INLINE_MASK_PIXELS = 2**17
"""Masks over at most so many pixels are drawn on the event loop: handing them to a thread and back takes longer."""
MAX_INLINE_MASKS = 16
"""No more masks are drawn on the event loop, however small: each takes some time of its own."""
MAX_SHORT_MASKS = 32
"""Drawing and writing more masks may take long, however small they are."""
NO_FINDER = "no model is served that finds people (has boxes among its outputs), as hiseg_find does"
T = TypeVar("T")


class Segmenter:
    """Turns images and boxes into masks.

    Args:
        workers: the threads that decode images, draw masks and write answers.
        limits: which images are accepted.
        admission: the service's state, and the memory that requests may hold.
        tracing: receives the stages of each request.

    Attributes:
        batchers: the batcher of each model, by the model's name; empty while the service starts.
    """

    def __init__(self, workers: Workers, limits: ImageLimits, admission: Admission, tracing: Tracing = OFF) -> None:
        self.batchers: dict[str, Batcher] = {}
        self.limits = limits
        self.admission = admission
        self.workers = workers
        self.tracing = tracing
        self._listeners: list[Callable[[], None]] = []

    @property
    def models(self) -> list[ModelInfo]:
        """The models that are served; none while the service starts."""
        return [batcher.engine.info for batcher in self.batchers.values()]

    @property
    def mask_models(self) -> list[ModelRef]:
        """Those that give masks, of which some answer for variants."""
        return with_masks(self.models)

    @property
    def other_models(self) -> list[ModelRef]:
        """Those that give no masks, but the foreground, and finders the people too."""
        return [info.ref for info in self.models if not info.has_masks]

    @property
    def finder(self) -> ModelRef | None:
        """The model that finds the people in an image; None: there is none."""
        return finder_model(info.ref for info in self.models if info.is_finder)

    def choose_model(self, model: str | None, variant: str | None, default_variant: str) -> ModelInfo:
        """Return the model that a request asks for; see :mod:`hiseg.core.model_choice`.

        Args:
            model: the name that the request asks for; None: any.
            variant: the variant that it asks for; None: any.
            default_variant: variant, or name, of the model for a request that asks for neither.

        Raises:
            InvalidRequest: there is no such model or variant, or the model is of another variant.
        """
        chosen = choose_model(self.mask_models, model, variant, default_variant, self.other_models)
        return self.batchers[chosen.name].engine.info

    def choose_graph(self, model: str, mode: Mode, has_boxes: bool) -> tuple[ModelInfo, Outputs]:
        """The model that answers a job, and which of its outputs; see :func:`hiseg.engines.choice.choose_graph`.

        Args:
            model: name of the one that the job asks for.
            mode: what it asks for.
            has_boxes: whether it has any boxes.

        Raises:
            InvalidRequest: no model gives that.
        """
        models = {info.ref: info.outputs for info in self.models}
        chosen, outputs = choose_graph(models, self.batchers[model].engine.info.ref, mode, has_boxes)
        return self.batchers[chosen.name].engine.info, outputs

    def check_ready(self, model: str | None = None) -> None:
        """Check that requests should be sent here: they are accepted, and a model's engine answers, or any engine.

        Args:
            model: name of the model; None: any will do.

        Raises:
            Unavailable: the service is starting, about to drain or draining, no such engine answers, or all threads are
                stuck in work that nobody needs.
        """
        self.admission.check_ready()
        if self.workers.are_stuck:
            raise Unavailable(
                "all threads for images are stuck in work that nobody waits for", reason=Reason.THREADS_STUCK
            )
        self._check_engines(model)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, on the event loop, whenever :meth:`check_ready` may have another answer than before."""
        self.admission.subscribe(listener)
        self._listeners.append(listener)

    def engines_changed(self) -> None:
        """Tell the listeners that an engine began or ceased to answer; for :meth:`Engine.subscribe`."""
        for listener in self._listeners:
            listener()

    def _check_engines(self, model: str | None = None) -> None:
        batchers = self.batchers.values() if model is None else [self.batchers[model]]
        if not any(batcher.engine.slots for batcher in batchers):
            raise Unavailable(NO_ENGINE)

    def check_capacity(self, reservation: Reservation, deadline: float | None, model: str = "") -> None:
        """Refuse a request that was admitted before it is read, if no model could take even the smallest job.

        Args:
            reservation: the request's; the bytes of the smallest canvas are added to it.
            deadline: the request's, in seconds of :func:`time.monotonic`'s clock; None: none, or not known yet.
            model: name of the model that answers, by which alone it is judged; empty: it isn't known yet.

        Raises:
            Unavailable: no engine answers.
            Overloaded: the job would wait too long for every model, or the bytes are not free.
            DeadlineExceeded: it would miss its deadline on an idle service too.
        """
        self._check_engines(model or None)
        judges = [self.batchers[model]] if model else list(self.batchers.values())
        canvases = [canvas for batcher in judges for canvas in batcher.engine.info.canvases]
        reservation.reserve(reservation.bytes + min((3 * height * width for height, width in canvases), default=0))
        refusals: list[Overloaded | DeadlineExceeded] = []
        for batcher in judges:
            try:
                batcher.check_capacity(reservation.client, deadline)
                return
            except (Overloaded, DeadlineExceeded) as error:
                refusals.append(error)
        if refusals:
            raise min(refusals, key=lambda error: error.retry_after if isinstance(error, Overloaded) else math.inf)

    def inspect(self, data: bytes) -> EncodedImage:
        """Read the header of an encoded image; see :func:`hiseg.images.encoded.inspect` for limits and errors."""
        return inspect(data, self.limits)

    async def segment(
        self, job: Job, reservation: Reservation, write: Callable[[Result, Stop], T], cost: WritingCost = NOTHING
    ) -> tuple[Result, T]:
        """Segment an image: one instance per box, in the order sent, or in binary mode everybody at once.

        A job that is to find people has two stages, in two batchers, under one reservation and one deadline. The first
        counts the image and both models' canvases before they are made; it begins only if the second would be admitted
        now, and leaves it the time that it takes for one person. How many people there are, and with them what masks
        and answer take, is known between the stages: so much is reserved then, and checked again as for boxes that
        were sent, before anything of it is made. A request may therefore be refused though people were found for it.

        Args:
            job: the image, its boxes and what is requested.
            reservation: the request's, from :meth:`Admission.admit`; resized to what the job holds in all.
            write: makes the answer out of the result, in the thread that has drawn the masks; it looks at the stop that
                it is given between its steps.
            cost: what ``write`` takes of memory.

        Returns:
            The result, and the answer that ``write`` made of it.

        Raises:
            DeadlineExceeded: not done by the job's deadline.
            InvalidRequest: no model gives what it asks for.
            TooLarge: the boxes cover too many pixels, or the job would take more memory than there is.
            Overloaded: the job would wait too long, or holds more bytes than are free.
            Unavailable: no engine answers, or the service is shutting down.
            UndecodableImage: the image is damaged.
            Superseded: a newer job has taken the place of this one, which is ``latest``.
        """
        left_s = None if job.deadline is None else job.deadline - time.monotonic()
        stop = Stop(job.deadline)
        try:
            async with asyncio.timeout(left_s) as limit:
                return await self._segment(job, reservation, write, cost, stop)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded("not done before the deadline", field="deadline_ms") from error
        finally:
            stop.cancel()

    async def _segment(
        self,
        job: Job,
        reservation: Reservation,
        write: Callable[[Result, Stop], T],
        cost: WritingCost,
        stop: Stop,
    ) -> tuple[Result, T]:
        info, requested = self.choose_graph(job.model, job.mode, bool(job.boxes))
        batcher, of_image = self.batchers[info.ref.name], requested is Outputs.FOREGROUND
        found: FoundPeople | None = None
        if of_image and job.boxes:
            job = replace(job, notes=(*job.notes, f"the boxes weren't used: model {info.ref.name} looks at the image"))
        width, height = job.image.width, job.image.height

        placement = choose_canvas(height, width, info.canvases, info.resize)
        preparing = preparing_of(job.image, stop, placement)
        if job.finding and not of_image:
            found = await self._find(job, job.finding, batcher, placement, reservation, stop)
            job = replace(job, boxes=job.boxes + found.boxes, notes=job.notes + found.notes)
            preparing = found.following
        boxes = [box.clipped(width, height) for box in job.boxes]
        visible = [] if of_image else [box for box in boxes if not box.is_empty]
        crops = [Box(0, 0, width, height)] if of_image else [box.scaled(info.crop_scale) for box in visible]
        sizes = written = measure_crops(crops, width, height, job.post_processing)
        drawing_bytes = 0
        if job.mode is Mode.BINARY and visible:
            written = measure_crops([bounding_box(crops)], width, height, job.post_processing)
            drawing_bytes = NOTHING.peak_bytes(job.image, sizes)
        drawing_bytes += cost.peak_bytes(job.image, written)
        outputs = 4 * math.prod(placement.canvas if of_image else (sizes.count, *info.mask_size))
        answer_bytes = cost.answer_bytes(job.image, written)
        held = job.image.nbytes + preparing.canvas_bytes + outputs + answer_bytes
        reservation.reserve(held, unwritten=answer_bytes)
        self.workers.check_size(max(preparing.nbytes, drawing_bytes) + reservation.bytes)

        batch_job = self._batch_job(job, placement, visible, requested, preparing, stop, reservation)
        await batcher.submit(batch_job)

        draw_job = partial(draw_and_write, job, boxes, placement, batch_job, write, stop, found)
        is_small = max(sizes.pixels, written.pixels) <= MAX_INLINE_MASK_PIXELS and sizes.count <= MAX_INLINE_MASKS
        takes_long = sizes.count > MAX_SHORT_MASKS
        if cost.is_quick and is_small and job.post_processing.is_plain and not of_image and self._is_alone:
            result, answer = draw_job()
        else:
            result, answer = await self.workers.run(
                draw_job, job.client, drawing_bytes, stop, reservation, takes_long=takes_long
            )
        reservation.answer_written()
        if not takes_long and not self.workers.is_long(drawing_bytes):
            # Neither others' long work nor the turns that one client waits for are a reason to refuse anybody else.
            batcher.wait_estimator.observe_answer(result.timings_ms["masks"] + result.timings_ms["encode"])
        if self.tracing.is_on:
            stages = list_stages(batch_job, result.timings_ms, batcher.clock(), found.job if found else None)
            self.tracing.record_stages(job.traceparent, stages)
        return result, answer

    async def _find(
        self, job: Job, finding: Finding, masks: Batcher, following: Placement, reservation: Reservation, stop: Stop
    ) -> FoundPeople:
        """The first stage of a job: find the people; see :meth:`segment` for what is checked and counted.

        Args:
            job: the image, and the boxes of people who needn't be found.
            finding: whom to find.
            masks: the batcher of the second stage.
            following: where the image lies on the canvas of that stage, for which it is prepared too.
            reservation: the request's.
            stop: says whether the job is still needed.

        Raises:
            InvalidRequest: no model finds people.
            Exception: what :meth:`segment` raises.
        """
        finder = self.finder
        if finder is None:
            raise InvalidRequest(NO_FINDER, field="find")
        batcher = self.batchers[finder.name]
        info, image = batcher.engine.info, job.image
        placement = choose_canvas(image.height, image.width, info.canvases, info.resize)
        self._check_engines(masks.engine.info.ref.name)
        masks.check_capacity(job.client, job.deadline)
        left_for_masks_s = masks.cost_model.now.batch(1, 1) / 1000
        preparing = preparing_of(image, stop, placement, following)
        reservation.reserve(image.nbytes + preparing.canvas_bytes)
        self.workers.check_size(preparing.nbytes + reservation.bytes)
        first = replace(job, deadline=None if job.deadline is None else job.deadline - left_for_masks_s)
        find_job = self._batch_job(first, placement, [], Outputs.BOXES, preparing, stop, reservation)
        await batcher.submit(find_job)
        return choose_people(find_job, placement, following, job.boxes, finding)

    def _batch_job(
        self,
        job: Job,
        placement: Placement,
        boxes: Sequence[Box],
        requested: Outputs,
        preparing: Preparing,
        stop: Stop,
        reservation: Reservation,
    ) -> BatchJob:
        """What the batcher of one stage gets of a job."""
        return BatchJob(
            placement.canvas,
            len(boxes),
            partial(preparing.make, boxes),
            job.client,
            job.priority,
            job.deadline,
            decode_inline=preparing.is_quick or (self._is_alone and decodes_quickly(job.image)),
            stream=job.stream,
            latest=job.latest,
            requested=requested,
            traceparent=job.traceparent,
            prepare_bytes=preparing.nbytes,
            stop=stop,
            reservation=reservation,
        )

    @property
    def _is_alone(self) -> bool:
        """Whether this request is the only one: under load the threads work, and the event loop serves the others."""
        return self.admission.active_requests == 1
