"""The queue between reading a video and segmenting it, which decides about frames that come too fast."""

from __future__ import annotations

import asyncio
from collections import deque

from hiseg.core.policy import Policy
from hiseg.video.frame import Frame

QUEUE_FRAMES = 8
"""Frames that wait at most with DROP_OLDEST."""


class FrameBuffer:
    """A short queue of frames; one task puts them in, another takes them out.

    Args:
        policy: what to do with a frame for which there is no room.
    """

    def __init__(self, policy: Policy) -> None:
        self._wait = policy is Policy.WAIT
        self._capacity = QUEUE_FRAMES if policy is Policy.DROP_OLDEST else 1
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._changed = asyncio.Condition()

    async def put(self, frame: Frame) -> int:
        """Add the newest frame; where the buffer is full, wait for room or drop its oldest frame.

        Returns:
            The number of frames that were dropped.
        """
        async with self._changed:
            dropped = 0
            if self._wait:
                await self._changed.wait_for(lambda: len(self._frames) < self._capacity)
            elif len(self._frames) == self._capacity:
                self._frames.popleft()
                dropped = 1
            self._frames.append(frame)
            self._changed.notify_all()
            return dropped

    async def end(self) -> None:
        """Tell the task that takes frames out that no more will come."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def get(self) -> Frame | None:
        """Take out the oldest frame, waiting until there is one; None after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames) or self._ended)
            frame = self._frames.popleft() if self._frames else None
            self._changed.notify_all()
            return frame
