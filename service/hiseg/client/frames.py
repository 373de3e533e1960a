"""The frames of one camera, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hiseg.client.errors import ClientError
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes
from hiseg.client.result import Result


class Policy(StrEnum):
    """What becomes of a frame that arrives while those before it are being worked on."""

    WAIT = "wait"
    """It waits, and so does the sender. For files."""
    DROP_OLDEST = "drop_oldest"
    """It waits in a short queue, from which the oldest is dropped when it is full."""
    LATEST_ONLY = "latest_only"
    """It waits alone, and is dropped when the next one comes. For cameras."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        image: any kind of image.
        boxes: one row of four numbers per person; with ``reuse_boxes`` none means those of the frame before.
        timestamp_us: microseconds on the caller's clock; comes back as sent.
        forget_boxes: with ``reuse_boxes`` and no boxes: really none.
    """

    image: ImageLike
    boxes: Boxes = ()
    timestamp_us: int = 0
    forget_boxes: bool = False


FrameLike = Frame | tuple[ImageLike, Boxes] | tuple[ImageLike, Boxes, int]
"""A frame, or its image, its boxes and perhaps its timestamp."""


def to_frame(frame: FrameLike) -> Frame:
    """The frame."""
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
        timestamp_us: the frame's.
        result: the masks.
    """

    sequence: int
    timestamp_us: int
    result: Result


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody is at fault, and there are no masks.

    Attributes:
        sequence: the frame's number in the stream, from 0.
        timestamp_us: the frame's.
        reason: ``superseded`` by a newer frame, ``overloaded``, ``deadline`` or ``unavailable``.
        detail: one sentence.
        retry_after: seconds after which frames make sense again, if the service says so.
    """

    sequence: int
    timestamp_us: int
    reason: str
    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The frame is at fault, or the service has a bug; the stream goes on.

    Attributes:
        sequence: the frame's number in the stream, from 0.
        timestamp_us: the frame's.
        error: what ``segment`` would have raised.
    """

    sequence: int
    timestamp_us: int
    error: ClientError


Outcome = Segmented | Dropped | Failed
"""What became of one frame."""
