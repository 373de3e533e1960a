"""What waits in a queue: work that is not yet prepared, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hiseg.core.canvas import Size
from hiseg.core.image import Floats, Pixels
from hiseg.core.job import Priority
from hiseg.engines.base import Prediction, RequestedOutputs
from hiseg.observability.reports import BatchReport, DropReason

SHARES = {Priority.INTERACTIVE: 1.0, Priority.BATCH: 0.1}
"""Weight of a client in the sharing of the engine."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One job's input, ready for a batch.

    Attributes:
        image: uint8 ``[3, H, W]`` on its canvas.
        rois: float32 ``[n, 4]``, ``x1 y1 x2 y2`` in 0..1 of the canvas; at most as many as were announced.
    """

    image: Pixels
    rois: Floats


P = TypeVar("P", bound=Prepared)


class Superseded(Exception):
    """A newer job of the same client took its place in the batch; happens to ``latest`` work alone."""


@dataclass(frozen=True, slots=True)
class Work(Generic[P]):
    """One job as a batcher sees it.

    Attributes:
        canvas: (height, width) it will be on; only work on the same canvas shares a batch.
        rois: how many boxes it has.
        prepare: makes its input; takes a while, so it runs in a worker thread unless it is ``quick``.
        client: who asks.
        priority: the client's weight.
        deadline: when nobody wants it any more, on the batcher's clock; None: never.
        quick: ``prepare`` is so short that it is done on the event loop, instead of in a thread and back.
        latest: a newer one of its client takes its place as soon as that is prepared, if it still waits then.
        wants: outputs that are looked at.
        traceparent: its caller's place in a distributed trace; empty: none.
    """

    canvas: Size
    rois: int
    prepare: Callable[[], P]
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    quick: bool = False
    latest: bool = False
    requested: RequestedOutputs = RequestedOutputs.BOTH
    traceparent: str = ""

    @property
    def share(self) -> float:
        """Weight of its client."""
        return SHARES[self.priority]


@dataclass(frozen=True, slots=True)
class Served(Generic[P]):
    """A prediction and what it took.

    Attributes:
        prepared: the input.
        prediction: the rows of this job alone: ``logit_margins`` ``[n, mh, mw]``, ``foreground`` ``[1, H, W]``; what it
            didn't want may be empty.
        decode_ms: preparing.
        queue_ms: waiting, for a place in a batch and for the engine.
        infer_ms: in the engine.
        arrived, decode_began, began: when it came, was prepared, and was taken by the engine, on the batcher's clock.
    """

    prepared: P
    prediction: Prediction
    decode_ms: float
    queue_ms: float
    infer_ms: float
    arrived: float = 0.0
    decode_began: float = 0.0
    began: float = 0.0


class Watcher(Protocol):
    """Who is told what happens; must be quick and never raise."""

    def ran(self, report: BatchReport) -> None:
        """A batch came back."""

    def failed(self) -> None:
        """The engine failed at a batch."""

    def dropped(self, reason: DropReason) -> None:
        """A job that was let in left before it reached the engine."""
