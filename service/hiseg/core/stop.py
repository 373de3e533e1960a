"""Lets work in a thread end early: a thread can't be ended from outside, so it looks for itself whether to go on."""

from __future__ import annotations

import time

from hiseg.core.errors import DeadlineExceeded


class Abandoned(Exception):
    """Nobody waits for the work any more; raised in its thread, where nobody sees it."""


class Stop:
    """Says whether a job's work is still needed; it is looked at between the steps of the work.

    Args:
        deadline: when the work becomes worthless, in seconds of :func:`time.monotonic`'s clock; None: never.
    """

    __slots__ = ("_cancelled_at", "deadline")

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self._cancelled_at: float | None = None

    def cancel(self) -> None:
        """Let the work end at its next step, because its caller has left; may be called from any thread."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()

    @property
    def set_for_s(self) -> float:
        """Seconds for which the work has not been needed any more; 0 while it is."""
        since = [moment for moment in (self._cancelled_at, self.deadline) if moment is not None]
        return max(0.0, time.monotonic() - min(since)) if since else 0.0

    def check(self) -> None:
        """Do nothing while the work is needed.

        Raises:
            Abandoned: its caller has left.
            DeadlineExceeded: its deadline has passed.
        """
        if self._cancelled_at is not None:
            raise Abandoned
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineExceeded("not done before the deadline", field="deadline_ms")


NEVER = Stop()
"""Of work that is always needed: nobody cancels it, and it has no deadline."""
