"""Which frames are dropped when they arrive faster than they are processed."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from hiseg.core.policy import Policy
from hiseg.video.frame import Frame
from hiseg.video.frame_buffer import QUEUE_FRAMES, FrameBuffer


def frame(number: int) -> Frame:
    return Frame(number, number, number / 10, np.zeros((8, 8, 3), dtype=np.uint8), 0.0)


@pytest.mark.parametrize(
    ("policy", "left"),
    [(Policy.LATEST_ONLY, [11]), (Policy.DROP_OLDEST, list(range(12 - QUEUE_FRAMES, 12)))],
)
def test_which_frames_are_dropped_by_each_policy(policy: Policy, left: list[int]) -> None:
    async def scenario() -> None:
        buffer = FrameBuffer(policy)
        dropped = [await buffer.put(frame(number)) for number in range(12)]
        await buffer.end()
        assert sum(dropped) == 12 - len(left)
        kept = []
        while (found := await buffer.get()) is not None:
            kept.append(found.number)
        assert kept == left
        assert await buffer.get() is None

    asyncio.run(scenario())
