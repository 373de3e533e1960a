"""Which frames wait, and which are dropped."""

from __future__ import annotations

import pytest

from hiseg.core.policy import Policy
from hiseg.transports.grpc.frame_queue import FrameQueue


@pytest.mark.parametrize(
    ("policy", "gone", "left"),
    [(Policy.DROP_OLDEST, [None, None, None, 0, 1], [2, 3, 4]), (Policy.LATEST_ONLY, [None, 0, 1, 2, 3], [4])],
)
def test_the_oldest_waiting_frame_is_dropped(policy: Policy, gone: list[int | None], left: list[int]) -> None:
    queue: FrameQueue[int] = FrameQueue(policy, 3)
    assert [queue.put(frame) for frame in range(5)] == gone
    assert list(queue) == left
    assert queue.is_open
    assert [queue.next() for _ in left] == left


def test_with_wait_the_queue_is_closed_while_a_frame_waits() -> None:
    queue: FrameQueue[int] = FrameQueue(Policy.WAIT, 3)
    assert queue.is_open
    assert queue.put(1) is None
    assert not queue.is_open
    queue.remove(1)
    assert queue.is_open
    assert not len(queue)
