"""When to leave a server alone that answers, but badly, and when to try it again."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3
"""Batches in a row that fail, or take far too long, before it opens."""
SILENCES = 2
"""Questions in a row that get no answer in time, before it opens."""
COOL_DOWN_S = 1.0
LONGEST_COOL_DOWN_S = 30.0
FORGET_S = 30.0
"""After so long without opening, the next cool-down is a short one again."""


class Breaker:
    """A circuit breaker for one server: closed while it does well, open while nothing is sent to it.

    It opens when batches fail in a row, and when the server is silent. Opened by batches, it asks for patience: a
    second at first, twice as long each time it opens again soon. Silence ends when the server answers. In either case
    the server is tried before it closes.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.is_open = False
        self._failures = 0
        self._silences = 0
        self._cool_down = COOL_DOWN_S
        self._opened = 0.0
        self._retry_at = 0.0

    @property
    def may_try(self) -> bool:
        """It is closed, or has been open for long enough."""
        return not self.is_open or self._clock() >= self._retry_at

    def succeeded(self) -> None:
        """A batch came back in good time."""
        self._failures = 0

    def failed(self) -> None:
        """A batch failed by the server's fault, or took far too long."""
        self._failures += 1
        if self._failures >= FAILURES:
            self.trip()

    def trip(self) -> None:
        """Open, for a while."""
        now = self._clock()
        if now - self._opened > FORGET_S + self._cool_down:
            self._cool_down = COOL_DOWN_S
        self.is_open, self._opened, self._retry_at = True, now, now + self._cool_down
        self._cool_down = min(2 * self._cool_down, LONGEST_COOL_DOWN_S)

    def silent(self) -> None:
        """A question got no answer in time."""
        self._silences += 1
        self.is_open = self.is_open or self.is_silent

    @property
    def is_silent(self) -> bool:
        """Its last questions got no answer in time."""
        return self._silences >= SILENCES

    def heard(self) -> None:
        """A question was answered."""
        self._silences = 0

    def close(self) -> None:
        """It was tried, and did well."""
        self.is_open = False
        self._failures = 0
