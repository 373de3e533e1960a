"""Decides whether and when a request is sent again: within its timeout, and not at the same time as other callers."""

from __future__ import annotations

import random
import time

from hiseg.client.errors import ClientError, DeadlineExceeded
from hiseg.core.reasons import Reason

FIRST_S = 0.1
"""Longest first pause, in seconds, where the service names none; it doubles with each retry."""
MAX_PAUSE_S = 5.0
"""Longest pause, in seconds, where the service names none."""
SPREAD = 0.25
"""A pause that the service names is prolonged by up to this share: callers refused together don't return together."""


class RetryBudget:
    """The retries and the time that one request has left.

    Args:
        retries: how often it may be sent again.
        seconds: time for all tries together.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._retries = retries
        self._deadline = time.monotonic() + seconds
        self._pauses = 0

    def left(self) -> float:
        """Return the seconds until the deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            text = "the time was over before the request was sent"
            raise DeadlineExceeded(text, reason=Reason.DEADLINE_EXCEEDED.value)
        return seconds

    def pause(self, error: ClientError) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            ClientError: ``error`` itself, if the request is not to be sent again.
        """
        if not error.retryable or self._pauses == self._retries:
            raise error
        if error.retry_after is None:
            longest = min(MAX_PAUSE_S, FIRST_S * 2**self._pauses)
            seconds = random.uniform(longest / 2, longest)
        else:
            seconds = error.retry_after * random.uniform(1, 1 + SPREAD)
        if time.monotonic() + seconds >= self._deadline:
            raise error
        self._pauses += 1
        return seconds
