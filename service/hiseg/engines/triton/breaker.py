"""A circuit breaker: when to send nothing to a server that does badly, and when to test it again."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_FAILURES = 3
"""Number of batches in a row that fail, or take far too long, after which the breaker opens."""
MAX_MISSED_ANSWERS = 2
"""Number of polls in a row without an answer after which the breaker opens."""
COOL_DOWN_S = 1.0
MAX_COOL_DOWN_S = 30.0
FORGET_S = 30.0
"""After this many seconds without opening, the next cool-down is a short one again."""


class Breaker:
    """The circuit breaker of one server: closed while the server does well, open while nothing is sent to it.

    It opens when batches fail in a row, and when the server doesn't answer polls. Opened by failures, it stays open for
    a cool-down: a second at first, twice as long each time it opens again soon. Opened by missed answers, it stays open
    until the server answers. In either case the server must pass a test before the breaker closes.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.is_open = False
        self._failures = 0
        self._missed_answers = 0
        self._cool_down = COOL_DOWN_S
        self._opened = 0.0
        self._retry_at = 0.0

    @property
    def allows_test(self) -> bool:
        """Whether the server may be tested: the breaker is closed, or its cool-down is over."""
        return not self.is_open or self._clock() >= self._retry_at

    def record_success(self) -> None:
        """A batch came back in good time."""
        self._failures = 0

    def record_failure(self) -> None:
        """A batch failed through the server's fault, or took far too long."""
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self.trip()

    def trip(self) -> None:
        """Open for a cool-down."""
        now = self._clock()
        if now - self._opened > FORGET_S + self._cool_down:
            self._cool_down = COOL_DOWN_S
        self.is_open, self._opened, self._retry_at = True, now, now + self._cool_down
        self._cool_down = min(2 * self._cool_down, MAX_COOL_DOWN_S)

    def record_missed_answer(self) -> None:
        """A poll got no answer in time."""
        self._missed_answers += 1
        self.is_open = self.is_open or self.is_unresponsive

    @property
    def is_unresponsive(self) -> bool:
        """Whether the last polls got no answer in time."""
        return self._missed_answers >= MAX_MISSED_ANSWERS

    def record_answer(self) -> None:
        """A poll was answered."""
        self._missed_answers = 0

    def close(self) -> None:
        """Close after the server has passed its test."""
        self.is_open = False
        self._failures = 0
