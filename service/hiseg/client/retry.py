"""When to ask again: only what can be asked again, only while there is time, not all callers at once."""

from __future__ import annotations

import random
import time

from hiseg.client.errors import ClientError, DeadlineExceeded

FIRST_S = 0.1
"""The first pause at most, where the service names none; it doubles with each try."""
LONGEST_S = 5.0
SPREAD = 0.25
"""A pause that the service names gets up to so much longer: those turned away together don't come back together."""


class RetryBudget:
    """The tries of one request.

    Args:
        retries: how many there are after the first.
        seconds: for all of them together.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._retries = retries
        self._deadline = time.monotonic() + seconds
        self._pauses = 0

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            DeadlineExceeded: there are none.
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded("the time was over before the request was sent")
        return seconds

    def pause(self, error: ClientError) -> float:
        """Seconds to wait before the next try; raises ``error`` if there is none."""
        if not error.retryable or self._pauses == self._retries:
            raise error
        if error.retry_after is None:
            most = min(LONGEST_S, FIRST_S * 2**self._pauses)
            seconds = random.uniform(most / 2, most)
        else:
            seconds = error.retry_after * random.uniform(1, 1 + SPREAD)
        if time.monotonic() + seconds >= self._deadline:
            raise error
        self._pauses += 1
        return seconds
