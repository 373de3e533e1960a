"""Holds the frames of one stream that wait for their turn, and decides which one is dropped when there are too many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from hiseg.core.policy import Policy

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """The waiting frames of one stream, oldest first.

    Args:
        policy: which of them is dropped.
        capacity: most frames that wait with DROP_OLDEST; with the other policies it is one.
    """

    def __init__(self, policy: Policy, capacity: int) -> None:
        self._policy = policy
        self._capacity = capacity if policy is Policy.DROP_OLDEST else 1
        self._waiting: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether another frame may be put in: always, except with WAIT, where the sender waits instead."""
        return self._policy is not Policy.WAIT or len(self._waiting) < self._capacity

    def put(self, frame: T) -> T | None:
        """Add a frame, and return the frame that was dropped for it, if any."""
        self._waiting.append(frame)
        return self._waiting.popleft() if len(self._waiting) > self._capacity else None

    def next(self) -> T:
        """Remove the oldest frame and return it."""
        return self._waiting.popleft()

    def remove(self, frame: T) -> None:
        """Remove a frame, for instance since its deadline has passed."""
        self._waiting.remove(frame)
