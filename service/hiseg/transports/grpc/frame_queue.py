"""Where the frames of one stream wait, and which of them has to go when there are too many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(StrEnum):
    """What becomes of a frame that can't be worked on at once."""

    WAIT = "wait"
    DROP_OLDEST = "drop_oldest"
    LATEST_ONLY = "latest_only"


class FrameQueue(Generic[T]):
    """Frames that wait, the oldest first.

    Args:
        policy: which of them goes.
        queue: most that wait with DROP_OLDEST.
    """

    def __init__(self, policy: Policy, queue: int) -> None:
        self._policy = policy
        self._room = queue if policy is Policy.DROP_OLDEST else 1
        self._waiting: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting)

    @property
    def is_open(self) -> bool:
        """One more may be put in: always, unless by the policy it is the sender who waits."""
        return self._policy is not Policy.WAIT or len(self._waiting) < self._room

    def put(self, frame: T) -> T | None:
        """Let a frame wait.

        Returns:
            The one that had to go for it.
        """
        self._waiting.append(frame)
        return self._waiting.popleft() if len(self._waiting) > self._room else None

    def next(self) -> T:
        """The frame whose turn it is; it waits no more."""
        return self._waiting.popleft()

    def remove(self, frame: T) -> None:
        """A frame waits no more, for a reason of its own."""
        self._waiting.remove(frame)
