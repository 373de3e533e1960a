"""One frame's way through a stream, and the response that it ends with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hiseg.api.options import Options
from hiseg.batching.admission import Reservation
from hiseg.core import errors
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import read_rows
from hiseg.transports.grpc.status import CODES, Refusal, number, sentence
from hiseg.transports.grpc.tracking import BoxRows

SUPERSEDED = "superseded"
"""Outcome of a frame that was dropped for a newer one."""
DROPS: dict[type[errors.HisegError], pb.DropReason] = {
    errors.Overloaded: pb.DROP_REASON_OVERLOADED,
    errors.DeadlineExceeded: pb.DROP_REASON_DEADLINE,
    errors.Unavailable: pb.DROP_REASON_UNAVAILABLE,
}
"""Errors that aren't the frame's fault."""


@dataclass(eq=False, slots=True)
class PendingFrame:
    """A frame that was taken.

    Attributes:
        number: how many came before it.
        frame: as it was sent; its image is let go with :meth:`close`.
        options: what is wanted of it.
        arrived: on the loop's clock.
        response: what becomes of it.
        place: where its bytes are counted.
        timer: drops it at its deadline while it waits.
        begun: it doesn't wait any more.
    """

    number: int
    frame: pb.Frame
    options: Options
    arrived: float
    response: asyncio.Future[pb.SegmentStreamResponse]
    place: Reservation | None = None
    timer: asyncio.TimerHandle | None = None
    begun: bool = False

    @property
    def rows(self) -> BoxRows | None:
        """Its boxes, if it says anything about boxes."""
        return read_rows(self.frame, self.options) if self.frame.boxes or self.frame.forget_boxes else None

    def begin(self) -> None:
        """It waits no more."""
        self.begun = True
        self.stop_waiting()

    def stop_waiting(self) -> None:
        """Its timer is needed no more."""
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def forget_image(self) -> None:
        """Somebody else has it."""
        self.frame.ClearField("encoded_image")
        self.frame.ClearField("raw_frame")

    def close(self, outcome: pb.SegmentStreamResponse) -> None:
        """Say what became of it; it holds nothing from now on but that."""
        outcome.sequence = self.frame.sequence
        outcome.timestamp_us = self.frame.timestamp_us
        self.release()
        if not self.response.done():
            self.response.set_result(outcome)

    def release(self) -> None:
        """Give back what it holds; more than once does no harm."""
        self.stop_waiting()
        self.frame = pb.Frame()
        if self.place:
            self.place.__exit__(None, None, None)
            self.place = None


def superseded() -> pb.SegmentStreamResponse:
    """A newer frame came while it waited."""
    return _dropped(pb.DROP_REASON_SUPERSEDED, "a newer frame came while it waited")


def failed(error: errors.HisegError) -> pb.SegmentStreamResponse:
    """The response to an error of ours: a drop if the frame isn't at fault."""
    text = sentence(error)
    if reason := DROPS.get(type(error)):
        return _dropped(reason, text, getattr(error, "retry_after", 0))
    return pb.SegmentStreamResponse(
        error=pb.FrameError(code=number(CODES[type(error)]), message=text, field=error.field)
    )


def broken(bug: Refusal) -> pb.SegmentStreamResponse:
    """The response to an error that isn't ours to explain."""
    return pb.SegmentStreamResponse(error=pb.FrameError(code=number(bug.code), message=bug.details))


def _dropped(reason: pb.DropReason, text: str, retry_after: int = 0) -> pb.SegmentStreamResponse:
    return pb.SegmentStreamResponse(dropped=pb.FrameDropped(reason=reason, message=text, retry_after_s=retry_after))
