"""A frame of a stream from its arrival to its response, and the responses of frames that have no masks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hiseg.api.exchange import RequestContext
from hiseg.api.options import Options
from hiseg.batching.admission import Reservation
from hiseg.core import errors
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.status import CODES, code_number, metadata

DROPS: dict[type[errors.HisegError], pb.DropReason] = {
    errors.Overloaded: pb.DROP_REASON_OVERLOADED,
    errors.DeadlineExceeded: pb.DROP_REASON_DEADLINE,
    errors.Unavailable: pb.DROP_REASON_UNAVAILABLE,
}
"""Errors that aren't the frame's fault: such a frame is dropped, and not answered with an error."""


@dataclass(eq=False, slots=True)
class PendingFrame:
    """A frame that was read and whose response isn't written yet.

    Attributes:
        number: how many frames of the stream came before it.
        message: the frame as it was sent; it is released with :meth:`respond`.
        context: request context of the frame, which is a request of its own.
        options: options of the frame, or those of the stream if the frame has none.
        response: the response, as soon as it is known.
        model: name of the model that will run it.
        timer: drops the frame at its deadline while it waits for its turn.
        begun: whether its turn came, and it wasn't superseded after that.
        kept: the memory of the response until it has been read; None: it is small.
    """

    number: int
    message: pb.Frame
    context: RequestContext
    options: Options
    response: asyncio.Future[pb.SegmentStreamResponse]
    model: str = ""
    timer: asyncio.TimerHandle | None = None
    begun: bool = False
    kept: Reservation | None = None

    @property
    def has_boxes(self) -> bool:
        """Whether the frame has boxes of its own, or says that there are none."""
        return bool(self.message.boxes) or self.message.forget_boxes

    def begin(self) -> None:
        """Mark the frame as begun, because its turn has come; its deadline no longer drops it."""
        self.begun = True
        self.stop_timer()

    def stop_timer(self) -> None:
        """Don't drop the frame at its deadline any more."""
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def release_image(self) -> None:
        """Release the message's own copy of the image.

        A message keeps the memory of its fields for as long as it lives, so one without the image takes its place.
        """
        self.message.ClearField("encoded_image")
        self.message.ClearField("raw_frame")
        rest = pb.Frame()
        rest.CopyFrom(self.message)
        self.message = rest

    def keep_response(self, nbytes: int) -> None:
        """Keep so many bytes of memory reserved for the response until :meth:`release_response`.

        Raises:
            Overloaded: so many aren't free.
        """
        self.context.reservation.reserve(nbytes)
        self.kept = self.context.keep_for_answer(nbytes)

    def release_response(self) -> None:
        """Give back the memory of the response."""
        if self.kept:
            self.kept.release()
            self.kept = None

    def respond(self, response: pb.SegmentStreamResponse) -> None:
        """Set the response; the frame holds nothing else from now on."""
        response.sequence = self.message.sequence
        response.timestamp_us = self.message.timestamp_us
        self.stop_timer()
        self.message = pb.Frame()
        self.response.set_result(response)


def superseded_response() -> pb.SegmentStreamResponse:
    """The response to a frame that was dropped because a newer one came while it waited."""
    return _dropped(pb.DROP_REASON_SUPERSEDED, "a newer frame came while it waited")


def failure_response(error: errors.HisegError) -> pb.SegmentStreamResponse:
    """The response to a frame that failed: a drop if the frame isn't at fault, else an error."""
    text = error.detail
    if reason := DROPS.get(type(error)):
        return _dropped(reason, text, error.reason, getattr(error, "retry_after", 0))
    code = code_number(CODES[type(error)])
    failed = pb.FrameError(code=code, message=text, error_reason=error.reason, **metadata(error))
    return pb.SegmentStreamResponse(error=failed)


def _dropped(
    reason: pb.DropReason, text: str, error_reason: str = "", retry_after: int = 0
) -> pb.SegmentStreamResponse:
    return pb.SegmentStreamResponse(
        dropped=pb.FrameDropped(reason=reason, message=text, retry_after_s=retry_after, error_reason=error_reason)
    )
