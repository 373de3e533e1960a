"""The frames of a stream, and the outcome of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hiseg.client.errors import ClientError
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes
from hiseg.client.result import Result


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        image: any kind of image.
        boxes: rows of four numbers, one per person; with ``reuse_boxes``, no rows stand for those of the frame before.
        timestamp_us: microseconds on the caller's clock; comes back with the outcome.
        forget_boxes: with ``reuse_boxes``, whether no rows mean that nobody is there.
    """

    image: ImageLike
    boxes: Boxes = ()
    timestamp_us: int = 0
    forget_boxes: bool = False


FrameLike = Frame | tuple[ImageLike, Boxes] | tuple[ImageLike, Boxes, int]
"""A frame, or its image, its boxes and perhaps its timestamp."""


def to_frame(frame: FrameLike) -> Frame:
    """Make a frame of its parts.

    Raises:
        TypeError: it is neither a frame nor a tuple.
    """
    if isinstance(frame, Frame):
        return frame
    if not isinstance(frame, Sequence):
        raise TypeError(f"a frame is a Frame, or a tuple of image, boxes and timestamp, not {type(frame).__name__}")
    return Frame(*frame)


@dataclass(frozen=True, slots=True)
class Segmented:
    """The frame's masks.

    Attributes:
        sequence: the frame's number in the stream, from 0.
        timestamp_us: the frame's timestamp.
        result: the masks.
    """

    sequence: int
    timestamp_us: int
    result: Result


@dataclass(frozen=True, slots=True)
class Dropped:
    """The frame was dropped, through no fault of its own.

    Attributes:
        sequence: the frame's number in the stream, from 0.
        timestamp_us: the frame's timestamp.
        reason: ``superseded`` by a newer frame, ``overloaded``, ``deadline`` or ``unavailable``.
        detail: why, in one sentence.
        retry_after: seconds after which the service suggests to send frames again, if it does.
        error_reason: the reason that ``segment`` would have raised its error with, e.g. ``SHUTTING_DOWN``; None if the
            frame was superseded, or the service is older than the word.
    """

    sequence: int
    timestamp_us: int
    reason: str
    detail: str
    retry_after: float | None = None
    error_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The frame is invalid, or the service has a bug; the stream goes on.

    Attributes:
        sequence: the frame's number in the stream, from 0.
        timestamp_us: the frame's timestamp.
        error: what ``segment`` would have raised.
    """

    sequence: int
    timestamp_us: int
    error: ClientError


Outcome = Segmented | Dropped | Failed
"""The outcome of one frame."""
