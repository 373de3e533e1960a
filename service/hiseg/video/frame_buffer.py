"""Between reading and segmenting: what happens to frames that come faster than they can be handled."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum

from hiseg.video.frame import Frame

QUEUE = 8
"""Frames that wait under DROP_OLDEST."""


class Policy(StrEnum):
    """What to do with a frame for which there is no place."""

    WAIT = "wait"
    LATEST_ONLY = "latest_only"
    DROP_OLDEST = "drop_oldest"


class FrameBuffer:
    """A short queue; one task puts, one gets."""

    def __init__(self, policy: Policy) -> None:
        self._wait = policy is Policy.WAIT
        self._places = QUEUE if policy is Policy.DROP_OLDEST else 1
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._changed = asyncio.Condition()

    async def put(self, frame: Frame) -> int:
        """Add the newest frame; waits for a place, or drops the oldest that waits.

        Returns:
            How many were dropped.
        """
        async with self._changed:
            dropped = 0
            if self._wait:
                await self._changed.wait_for(lambda: len(self._frames) < self._places)
            elif len(self._frames) == self._places:
                self._frames.popleft()
                dropped = 1
            self._frames.append(frame)
            self._changed.notify_all()
            return dropped

    async def end(self) -> None:
        """No more will come."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def get(self) -> Frame | None:
        """The oldest frame that waits, as soon as there is one; None after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames) or self._ended)
            frame = self._frames.popleft() if self._frames else None
            self._changed.notify_all()
            return frame
