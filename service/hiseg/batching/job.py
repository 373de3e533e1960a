"""A job as a batcher sees it, the limits of batches, and the interface through which metrics receive events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hiseg.batching.admission import Reservation
from hiseg.core.image import Floats, Pixels, Size
from hiseg.core.job import Priority
from hiseg.core.stop import NEVER, Stop
from hiseg.engines.base import Outputs, Prediction
from hiseg.observability.reports import BatchReport, DropReason

SHARES = {Priority.INTERACTIVE: 1.0, Priority.BATCH: 0.1}
"""Weight of a client's jobs of each priority when clients share the engine."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be, and how long a job may wait for one.

    Attributes:
        budget_ms: predicted milliseconds up to which jobs share a batch; a job that costs more runs alone.
        images: maximum number of images.
        rois: maximum number of boxes; a job with more is refused.
        bytes: maximum bytes of image input; a single image is always allowed.
        wait_ms: a job is refused if its predicted wait is longer.
    """

    budget_ms: float = 50.0
    images: int = 16
    rois: int = 128
    bytes: int = 64 * 1024 * 1024
    wait_ms: float = 2000.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job's input for the engine.

    Attributes:
        image: uint8 ``[3, H, W]``, RGB, on its canvas.
        rois: float32 ``[N, 4]``, rows ``x1 y1 x2 y2`` in 0..1 of the canvas; N is at most the job's ``rois``.
        notes: sentences for the caller about what had to be done to decode the image.
        next_image: the same image on the canvas of the stage that follows, uint8 ``[3, H, W]``, if that is another one;
            else None.
    """

    image: Pixels
    rois: Floats
    notes: tuple[str, ...] = ()
    next_image: Pixels | None = None


@dataclass(eq=False, slots=True)
class BatchJob:
    """One image with its boxes, from the moment it is submitted to a batcher until it is answered.

    Whoever submits the job says what is to be done; all other attributes are set by the batcher. Those without a
    default are set when the job is admitted (``arrived``, ``answer``), when it has been prepared (``prepared``) or when
    it has come back from the engine (``prediction``).

    Attributes:
        canvas: (height, width) of the image's canvas; only jobs on the same canvas share a batch.
        rois: number of boxes.
        prepare: decodes the image onto its canvas; runs in a worker thread unless ``decode_inline``.
        client: who sent the job; clients share the engine fairly.
        priority: decides the client's weight.
        deadline: when the answer becomes worthless, in seconds of the batcher's clock; None: never.
        decode_inline: run ``prepare`` on the event loop, since it takes less time than handing it to a thread.
        stream: number of the stream that the job is a frame of; None: of none. A client's streams take turns.
        latest: a newer job of the stream replaces this one while it waits, as soon as the newer one is prepared.
        requested: outputs that the caller needs.
        traceparent: the caller's trace context (W3C Trace Context); empty: not traced.
        prepare_bytes: the most bytes that ``prepare`` takes at any moment.
        stop: says whether the job is still needed.
        reservation: the memory that the request holds; None: none is counted.
        share: weight of the client, above 0.
        cost_ms: predicted milliseconds that the job adds to a batch.
        alone_ms: predicted milliseconds of a batch of this job alone.
        arrived: when the job was admitted, in seconds of the batcher's clock.
        answer: done when the job has been answered or has failed; its caller waits for it.
        is_counted: whether the wait estimator counts it: from its submission on, or, if preparing it takes long,
            from the end of that.
        preparing: the task that prepares the job; None while the job waits in the queue.
        is_prepared: whether ``prepared``, ``decode_began`` and ``decode_ms`` are set.
        prepared: the job's input.
        decode_began: when preparing began, in seconds of the batcher's clock.
        decode_ms: milliseconds that preparing took.
        prediction: the rows of this job alone: ``logit_margins`` ``[N, mask_h, mask_w]`` and ``foreground``
            ``[1, H, W]``; what was not requested may be empty.
        began: when the engine began the batch, in seconds of the batcher's clock.
        infer_ms: milliseconds that the batch spent in the engine.
    """

    canvas: Size
    rois: int
    prepare: Callable[[], Prepared]
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    decode_inline: bool = False
    stream: int | None = None
    latest: bool = False
    requested: Outputs = Outputs.BOTH
    traceparent: str = ""
    prepare_bytes: int = 0
    stop: Stop = NEVER
    reservation: Reservation | None = None

    share: float = field(default=1.0, init=False)
    cost_ms: float = field(default=0.0, init=False)
    alone_ms: float = field(default=0.0, init=False)
    arrived: float = field(init=False, repr=False)
    answer: asyncio.Future[None] = field(init=False, repr=False)
    is_counted: bool = field(default=False, init=False)
    preparing: asyncio.Task[None] | None = field(default=None, init=False)
    is_prepared: bool = field(default=False, init=False)
    prepared: Prepared = field(init=False, repr=False)
    decode_began: float = field(default=0.0, init=False)
    decode_ms: float = field(default=0.0, init=False)
    prediction: Prediction = field(init=False, repr=False)
    began: float = field(default=0.0, init=False)
    infer_ms: float = field(default=0.0, init=False)

    @property
    def queue_ms(self) -> float:
        """Milliseconds that the job waited for its batch and for the engine, without those of preparing it."""
        return max(0.0, (self.began - self.arrived) * 1000 - self.decode_ms)

    def succeed(self, prediction: Prediction, began: float, infer_ms: float) -> None:
        """Answer the job with its rows of a batch; without effect if its caller has left."""
        self.prediction, self.began, self.infer_ms = prediction, began, infer_ms
        if not self.answer.done():
            self.answer.set_result(None)

    def fail(self, error: Exception) -> None:
        """Answer the job with an error; without effect if it is answered already or its caller has left."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Watcher(Protocol):
    """Receives the events of a batcher, for metrics. Its methods must be quick and never raise."""

    def on_batch(self, report: BatchReport) -> None:
        """A batch has come back from the engine."""

    def on_failure(self) -> None:
        """The engine has failed to run a batch."""

    def on_drop(self, reason: DropReason) -> None:
        """An admitted job has left before it reached the engine."""
