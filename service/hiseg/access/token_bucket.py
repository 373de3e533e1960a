"""A token bucket: so many requests a second on average, and a second's worth of them at once."""

from __future__ import annotations

ROUNDING = 1e-9
"""Who comes when told is let in, whatever floats make of it."""


class TokenBucket:
    """Full at first.

    Args:
        rate: tokens that flow in each second, more than 0; it holds as many, and at least one.
        now: seconds, on the clock that :meth:`take` is called with.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.size = max(1.0, rate)
        self._tokens = self.size
        self._at = now

    def take(self, now: float) -> float:
        """Take a token.

        Returns:
            0, or if there is none, the seconds until there will be.
        """
        self._tokens = min(self.size, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)
        if self._tokens >= 1 - ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate
