"""Frames over one stream: answers go to the right frames, drops are retried or not, a broken stream ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import numpy as np
import pytest

from hiseg import client
from hiseg.core.box import Box
from hiseg.core.job import PostProcessing, Smoothing
from hiseg.core.policy import Policy
from hiseg.core.result import ModelRef
from hiseg.video import remote
from hiseg.video.frame import Frame, VideoError
from hiseg.video.remote import RemoteMasker

BOXES = (Box(0, 0, 4, 4),)
FINISH = PostProcessing(Smoothing.EDGE, 0.4, 3, True)
RESULT = client.Result(8, 8, (), ModelRef("m", "1", "b0"), (), None, {})
Behaviour = Callable[[int, int], client.Outcome]


class FakeClient:
    """Stands for :class:`hiseg.client.AsyncClient`: answers the k-th message, about a frame at second t."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.sent: list[int] = []
        self.options: dict[str, Any] = {}

    async def stream(
        self, frames: AsyncIterator[client.Frame], policy: str, **options: Any
    ) -> AsyncIterator[client.Outcome]:
        self.options = {"policy": policy} | options
        async for frame in frames:
            assert frame.boxes == [(0, 0, 4, 4)]
            self.sent.append(frame.timestamp_us // 10**6)
            yield self.behaviour(len(self.sent) - 1, self.sent[-1])


def ask(behaviour: Behaviour, policy: Policy, count: int = 4) -> tuple[list[Any], FakeClient]:
    async def scenario() -> tuple[list[Any], FakeClient]:
        to, masker = FakeClient(behaviour), RemoteMasker(policy)
        relaying = asyncio.create_task(masker.relay(cast(client.AsyncClient, to), "hiseg_b0", "b0", FINISH))
        pixels = np.zeros((8, 8, 3), dtype=np.uint8)
        frames = [Frame(number, number, float(number), pixels, 0.0) for number in range(count)]
        answers = await asyncio.gather(*(masker.masks(frame, BOXES) for frame in frames), return_exceptions=True)
        masker.end()
        await relaying
        return answers, to

    return asyncio.run(scenario())


def dropped(reason: str = "overloaded") -> client.Dropped:
    return client.Dropped(0, 0, reason, "too much to do", 0.01)


def test_each_frame_gets_its_own_answer() -> None:
    def behave(_: int, second: int) -> client.Outcome:
        found = client.Instance((0, 0, 4, 4), second / 10, 0, "", (8, 8))
        found.__dict__["crop"] = None  # as if it had been looked at: the mask is not what this is about
        return client.Segmented(0, 0, client.Result(8, 8, (), RESULT.model, (found,), None, {}))

    answers, to = ask(behave, Policy.LATEST_ONLY)
    assert [answer[0].score for answer in answers] == [0, 0.1, 0.2, 0.3]
    assert to.options == {
        "policy": "latest_only",
        "threshold": 0.4,
        "smoothing": "edge",
        "dilation_px": 3,
        "resolve_overlaps": True,
        "model": "hiseg_b0",
        "variant": "b0",
    }


def test_a_dropped_frame_is_left_out_if_the_policy_allows_drops() -> None:
    answers, to = ask(lambda k, _: client.Segmented(0, 0, RESULT) if k % 2 else dropped(), Policy.LATEST_ONLY)
    assert answers == [None, (), None, ()]
    assert to.sent == [0, 1, 2, 3]


def test_a_dropped_frame_is_sent_again_with_wait() -> None:
    answers, to = ask(lambda k, _: dropped() if k < 3 else client.Segmented(0, 0, RESULT), Policy.WAIT)
    assert answers == [(), (), (), ()]
    assert sorted(to.sent) == [0, 0, 1, 1, 2, 2, 3]


def test_a_dropped_frame_is_not_sent_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RESEND_S", 0.05)
    answers, _ = ask(lambda *_: dropped(), Policy.WAIT, 1)
    assert isinstance(answers[0], VideoError)
    assert "too much to do" in str(answers[0])


def test_a_frame_that_may_have_taken_servers_down_is_not_sent_again() -> None:
    sent: list[int] = []

    def behave(k: int, _: int) -> client.Outcome:
        sent.append(k)
        return client.Dropped(0, 0, "unavailable", "2 servers went down", 0.01, "ENGINE_FAILED")

    answers, _ = ask(behave, Policy.WAIT, 1)
    assert "2 servers went down" in str(answers[0])
    assert len(sent) == 1


def test_an_invalid_frame_is_named() -> None:
    error = client.InvalidRequest("boxes[0] is empty")
    answers, _ = ask(lambda *_: client.Failed(0, 0, error), Policy.WAIT, 2)
    assert [str(answer) for answer in answers] == [
        f"the server, about frame {number}: boxes[0] is empty" for number in (0, 1)
    ]


@pytest.mark.parametrize("error", [client.Unavailable("shutting down"), RuntimeError("a bug")])
def test_a_broken_stream_fails_all_waiting_frames(error: Exception) -> None:
    def behave(k: int, _: int) -> client.Outcome:
        if k == 1:
            raise error
        return client.Segmented(0, 0, RESULT)

    answers, _ = ask(behave, Policy.WAIT)
    assert answers[0] == ()
    assert all(str(error) in str(answer) for answer in answers[1:])
