"""Figures of a run: frames written and dropped, and the age of frames when they were written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hiseg.core.box import Box
from hiseg.video.frame import Frame

MAX_LATENCIES = 2**16
"""Latencies that are kept: percentiles of an endless stream are those of its last half hour or so."""


@dataclass(slots=True)
class RunStats:
    """Counts frames as they pass.

    Attributes:
        with_latency: whether the age of frames is told: that of a file's says nothing.
        written: frames in the output.
        dropped: frames that were read and dropped, here or by the server.
        seconds: seconds from reading the first frame to writing the last one.
        last: number and time, in seconds, of the last frame that was read; None before there is any.
        outside: frames in which a box has less than a pixel of the frame in it.
        first_outside: the number of the first of them, and the box's place in its line.
        reused: frames that had the boxes of an earlier one.
        oldest: how many frames earlier that one was at most.
    """

    with_latency: bool = True
    written: int = 0
    dropped: int = 0
    seconds: float = 0.0
    last: tuple[int, float] | None = None
    outside: int = 0
    first_outside: tuple[int, int] = (0, 0)
    reused: int = 0
    oldest: float = 0
    _began: float | None = None
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))

    def record_read(self, frame: Frame, boxes: Sequence[Box], age: float = 0) -> None:
        """Remember the last frame, and count it if its boxes are an earlier one's, or one of them has no pixel of it.

        Args:
            frame: what was read.
            boxes: its boxes.
            age: how many frames ago theirs was; 0 if they are its own, or known by time.
        """
        if age and boxes:
            self.reused += 1
            self.oldest = max(self.oldest, age)
        if self.last is None or frame.number > self.last[0]:
            self.last = frame.number, frame.time
        height, width = frame.pixels.shape[:2]
        for index, box in enumerate(boxes):
            inside = box.clipped(width, height)
            if inside.is_empty or inside.area < 1 or inside.x2 <= 1 >= inside.y2:
                self.first_outside = (
                    min(self.first_outside, (frame.number, index)) if self.outside else (frame.number, index)
                )
                self.outside += 1
                return

    def record_written(self, arrived: float) -> None:
        """Count a frame that has just been written and was read at ``arrived``, on :func:`time.monotonic`'s clock."""
        now = time.monotonic()
        self._began = arrived if self._began is None else self._began
        self.written += 1
        self.seconds = now - self._began
        self._latencies.append(now - arrived)

    @property
    def notes(self) -> list[str]:
        """What the user should know about the run, in sentences."""
        notes = []
        if self.reused:
            age = f"up to {self.oldest:g} frames before"
            notes.append(f"{self.reused} frames had the boxes of an earlier one, {age}; --max-box-age limits that")
        if self.outside:
            number, index = self.first_outside
            some = f"in {self.outside} frames a box lies outside the frame, or has less than a pixel of it"
            notes.append(f"{some}, where nobody is found; the first is boxes[{index}] of frame {number}")
        return notes

    @property
    def fps(self) -> float:
        """Frames written a second."""
        return self.written / max(self.seconds, 1e-9)

    @property
    def speed(self) -> str:
        """The speed so far, in a few words."""
        return f"{self.fps:.1f} fps" + (f", {self.dropped} dropped" if self.dropped else "")

    def __str__(self) -> str:
        parts = [f"frames {self.written}", f"dropped {self.dropped}"]
        if self.written:
            parts.append(f"fps {self.fps:.1f}")
        if self.written and self.with_latency:
            p50, p95 = np.percentile(np.array(self._latencies) * 1000, (50, 95))
            parts.append(f"latency p50 {p50:.0f} ms  p95 {p95:.0f} ms")
        return "  ".join(parts)
