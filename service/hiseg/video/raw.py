"""Reads raw frames from standard input, as ffmpeg's ``-f rawvideo`` writes them."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from fractions import Fraction

from hiseg.core.command_errors import BadOption
from hiseg.images.raw import PixelFormat, RawFrame
from hiseg.video.frame import Frame, VideoError, VideoFormat

POLL_S = 0.2
"""A reader that waits for data looks this often, in seconds, whether it should stop."""
CHUNK_BYTES = 2**20
"""Most bytes of one read."""


class RawSource:
    """Frames of a known size and format; a :class:`hiseg.video.frame.Source`.

    Args:
        size: width and height, pixels.
        rate: frames a second.
        pixel_format: layout of the pixels.
        every: take every n-th frame only.

    Raises:
        BadOption: pixels of this format can't have this size.
    """

    live = False
    expected = None

    def __init__(self, size: tuple[int, int], rate: Fraction, pixel_format: PixelFormat, every: int = 1) -> None:
        self._width, self._height = size
        if pixel_format is PixelFormat.NV12 and (self._width % 2 or self._height % 2):
            raise BadOption("--size", f"{self._width}x{self._height}", "is odd; with nv12 both sides must be even")
        self._pixel_format = pixel_format
        self._stride = self._width if pixel_format is PixelFormat.NV12 else 3 * self._width
        self._rows = self._height * 3 // 2 if pixel_format is PixelFormat.NV12 else self._height
        self._every = every
        self._number = 0
        self._stop = threading.Event()
        self.format = VideoFormat(1 / rate, rate / every)
        self.notes: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        return 3 * self._width * self._height

    def read(self) -> Frame | None:
        while (data := self._read_bytes()) is not None:
            number, self._number = self._number, self._number + 1
            if number % self._every == 0:
                raw = RawFrame(data, self._pixel_format, self._width, self._height, self._stride, self._stride)
                seconds = float(number * self.format.time_base)
                return Frame(number, number, seconds, raw.decode().pixels, time.monotonic())
        return None

    def interrupt(self) -> None:
        self._stop.set()

    def close(self) -> None:
        """Leave standard input open: others may still use it."""

    def _read_bytes(self) -> bytes | None:
        """Read the bytes of one frame; None at the end of the input, or when interrupted."""
        data, length = bytearray(), self._stride * self._rows
        while len(data) < length and not self._stop.is_set():
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], POLL_S)
            if ready:
                chunk = os.read(sys.stdin.fileno(), min(CHUNK_BYTES, length - len(data)))
                if not chunk:
                    break
                data += chunk
        if len(data) == length:
            return bytes(data)
        if data and not self._stop.is_set():
            raise VideoError(
                f"standard input ends within frame {self._number}, {len(data)} of {length} bytes into it; "
                "are --size and --pixel-format right?"
            )
        return None
