"""Timestamps as inputs have them -> timestamps that an encoder takes: from 0 on, each later than the one before."""

from __future__ import annotations


class Timeline:
    """Places frames in time.

    Args:
        step: ticks from one frame to the next, where the input doesn't say.
    """

    def __init__(self, step: int) -> None:
        self._step = max(1, step)
        self._origin = 0
        self._last: int | None = None

    def place(self, pts: int | None) -> int:
        """The next frame's ticks, given its own timestamp or None.

        Distances are kept. A clock that jumps back (a stream that starts anew) goes on one step after the last frame.
        """
        if self._last is None:
            self._origin = pts or 0
            self._last = 0
            return 0
        ticks = self._last + self._step if pts is None else pts - self._origin
        if pts is not None and ticks <= self._last:
            ticks = self._last + self._step
            self._origin = pts - ticks
        self._last = ticks
        return ticks
