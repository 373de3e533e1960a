"""The frames of a video, and the protocols of what they pass through: a source, a masker, and sinks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from hiseg.core.box import Box
from hiseg.core.command_errors import CommandError
from hiseg.core.image import Pixels
from hiseg.core.result import Instance


class VideoError(CommandError):
    """A video can't be read, segmented or written, or not to its end."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a video.

    Attributes:
        number: index among all frames of the input, from 0; frames that are left out count too.
        ticks: presentation time in units of the video's time base; 0 for the first frame, then strictly increasing.
        time: presentation time in seconds.
        pixels: RGB, uint8 ``[H, W, 3]``, upright.
        arrived: when the frame was read, on :func:`time.monotonic`'s clock.
        pixel_aspect: width of a pixel divided by its height, upright too.
    """

    number: int
    ticks: int
    time: float
    pixels: Pixels
    arrived: float
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class AnnotatedFrame:
    """A frame with its masks drawn.

    Attributes:
        frame: the frame as it was read.
        pixels: what is shown, uint8: RGB ``[H, W, 3]``, perhaps the frame's own array; RGBA ``[H, W, 4]``; or grey
            ``[H, W]``.
        json_line: the masks as one line of JSON, with the line feed; empty if that isn't wanted.
    """

    frame: Frame
    pixels: Pixels
    json_line: bytes


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the frames of a video have in common.

    Attributes:
        time_base: seconds of one tick.
        rate: nominal frames a second.
    """

    time_base: Fraction
    rate: Fraction


class Source(Protocol):
    """Where frames come from; used by one thread at a time, except for ``interrupt``."""

    @property
    def format(self) -> VideoFormat:
        """What the frames have in common."""

    @property
    def live(self) -> bool:
        """Whether frames go on coming when nobody takes them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the video, in sentences; complete after the last frame."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of memory that a frame takes, approximately."""

    @property
    def expected(self) -> int | None:
        """The number of frames to come, approximately; None if that isn't known."""

    def read(self) -> Frame | None:
        """Return the next frame, waiting until there is one; None at the end.

        Raises:
            VideoError: the input breaks off, or is damaged.
        """

    def interrupt(self) -> None:
        """Let a ``read`` that waits in another thread return."""

    def close(self) -> None:
        """Release the input."""


class Sink(Protocol):
    """Where frames go; used by one thread at a time."""

    def write(self, annotated: AnnotatedFrame) -> None:
        """Write a frame.

        Raises:
            VideoError: it can't be written.
        """

    def close(self) -> None:
        """Complete the output, so that what was written can be read.

        Raises:
            VideoError: it can't be written.
        """


class Masker(Protocol):
    """What segments the people in frames: the embedded engine, or a server."""

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...] | None:
        """Segment a frame; it may be called for a frame before the frames before it are done.

        Returns:
            One instance per box, in the order of the boxes; None if the frame was dropped.
        """
