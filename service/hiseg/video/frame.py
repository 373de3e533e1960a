"""What flows through a video: frames, where they come from, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from hiseg.core.box import Box
from hiseg.core.image import Pixels
from hiseg.core.result import Instance


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video.

    Attributes:
        number: counted from 0 over all frames of the input, those left out included.
        ticks: when it is shown, in the video's time base; 0 for the first frame, and always later than the one before.
        time: the same in seconds.
        pixels: uint8 ``[H, W, 3]``, RGB, upright.
        arrived: when it was read, on :func:`time.monotonic`'s clock.
    """

    number: int
    ticks: int
    time: float
    pixels: Pixels
    arrived: float


@dataclass(frozen=True, slots=True)
class Annotated:
    """A frame with its masks drawn.

    Attributes:
        frame: as it was read.
        drawn: its pixels with people tinted; the very same if there are none.
        line: its masks as one line of JSON, with the line feed; empty if nobody asked.
    """

    frame: Frame
    drawn: Pixels
    line: bytes


@dataclass(frozen=True, slots=True)
class Traits:
    """What the frames of a video have in common.

    Attributes:
        time_base: seconds of one tick.
        rate: frames a second, nominal.
        pixel_aspect: width of a pixel by its height.
    """

    time_base: Fraction
    rate: Fraction
    pixel_aspect: Fraction = Fraction(1)


class Source(Protocol):
    """Where frames come from; used by one thread at a time, but for ``interrupt``."""

    @property
    def traits(self) -> Traits:
        """What its frames have in common."""

    @property
    def live(self) -> bool:
        """It goes on whether or not frames are taken."""

    @property
    def frame_bytes(self) -> int:
        """Memory that a frame takes, about."""

    @property
    def expected(self) -> int | None:
        """How many frames there will be, about; None: nobody knows."""

    def read(self) -> Frame | None:
        """The next frame, as soon as there is one; None at the end.

        Raises:
            VideoError: it breaks off, or is damaged.
        """

    def interrupt(self) -> None:
        """Let a ``read`` that waits in another thread return."""

    def close(self) -> None:
        """Give everything back."""


class Sink(Protocol):
    """Where frames go; used by one thread at a time."""

    def write(self, annotated: Annotated) -> None:
        """Add a frame.

        Raises:
            VideoError: it can't be written.
        """

    def close(self) -> None:
        """Finish what was written, so that it can be read.

        Raises:
            VideoError: it can't be written.
        """


class Masker(Protocol):
    """What finds the people in frames: the embedded engine, or a server."""

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...] | None:
        """One instance per box, in the order given; None: the frame was dropped.

        Frames may be given before those before them are answered.
        """
