"""Figures of a run: frames written and dropped, and the age of frames when they were written."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

MAX_LATENCIES = 2**16
"""Latencies that are kept: percentiles of an endless stream are those of its last half hour or so."""


@dataclass(slots=True)
class RunStats:
    """Counts frames as they pass.

    Attributes:
        written: frames in the output.
        dropped: frames that were read and dropped, here or by the server.
        seconds: seconds from reading the first frame to writing the last one.
    """

    written: int = 0
    dropped: int = 0
    seconds: float = 0.0
    _began: float | None = None
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))

    def record_written(self, arrived: float) -> None:
        """Count a frame that has just been written and was read at ``arrived``, on :func:`time.monotonic`'s clock."""
        now = time.monotonic()
        self._began = arrived if self._began is None else self._began
        self.written += 1
        self.seconds = now - self._began
        self._latencies.append(now - arrived)

    @property
    def fps(self) -> float:
        """Frames written a second."""
        return self.written / max(self.seconds, 1e-9)

    def __str__(self) -> str:
        parts = [f"frames {self.written}", f"dropped {self.dropped}"]
        if self.written:
            p50, p95 = np.percentile(np.array(self._latencies) * 1000, (50, 95))
            parts += [f"fps {self.fps:.1f}", f"latency p50 {p50:.0f} ms  p95 {p95:.0f} ms"]
        return "  ".join(parts)
