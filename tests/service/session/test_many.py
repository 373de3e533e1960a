"""Many images keep their order, don't fail together, and aren't taken further ahead than they should."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from hiseg import ClientError, InvalidRequest, Result, Session
from hiseg.client.request import SegmentRequest
from hiseg.session import many
from hiseg.session.many import outcomes


class Awaited(Future[Any]):
    """A future that is answered, with all that are open, when it is waited for at the latest."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def result(self, timeout: float | None = None) -> Any:
        while not self.done():
            self._engine.answer_one()
        return super().result(timeout)


class Engine:
    """Answers requests in an order of its own, each with its boxes' first number: some at once, others when waited for.

    Attributes:
        open: requests that aren't answered.
        most: most requests that were open at once.
        most_bytes: most bytes of their images.
    """

    def __init__(self, seed: int, chance: float) -> None:
        self._random, self._chance = random.Random(seed), chance
        self.open: list[tuple[Future[Any], SegmentRequest]] = []
        self.most = self.most_bytes = 0

    def begin(self, request: SegmentRequest) -> Future[Any]:
        future = Awaited(self)
        self.open.append((future, request))
        self.most = max(self.most, len(self.open))
        self.most_bytes = max(self.most_bytes, sum(np.asarray(each.image).nbytes for _, each in self.open))
        while self.open and self._random.random() < self._chance:
            self.answer_one()
        return future

    def answer_one(self) -> None:
        future, request = self.open.pop(self._random.randrange(len(self.open)))
        future.set_result(request.rows[0][0])


def items(count: int, image: Any = b"image", taken: list[int] | None = None) -> Iterator[Any]:
    """Images whose boxes have their number."""
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield image, [[number, 0, number + 1, 1]]


@given(seed=st.integers(0, 10**9), count=st.integers(0, 40), chance=st.floats(0, 0.9))
def test_outcomes_come_in_order_within_the_limits(seed: int, count: int, chance: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "MAX_AHEAD", 6)
        patch.setattr(many, "MAX_BYTES", 400)
        engine = Engine(seed, chance)
        image = np.zeros((3, 10, 3), np.uint8)
        assert [*outcomes(items(count, image), {}, engine.begin)] == [*range(count)]
        assert engine.most <= 6
        assert engine.most_bytes < 400 + image.nbytes


def test_as_many_are_taken_as_work_needs() -> None:
    taken: list[int] = []
    at_once = Engine(0, 1.0)
    for number, outcome in enumerate(outcomes(items(9, taken=taken), {}, at_once.begin)):
        assert outcome == number
        assert len(taken) == number + 1  # one each, where everything is done at once
    taken.clear()
    found = outcomes(items(100, taken=taken), {}, Engine(0, 0.0).begin)
    assert taken == []  # nothing begins before the first outcome is asked for
    next(found)
    assert len(taken) == many.MAX_AHEAD


def test_a_loop_that_ends_early_ends_the_work() -> None:
    engine = Engine(1, 0.0)
    found = outcomes(items(9), {}, engine.begin)
    next(found)
    waiting = [future for future, _ in engine.open]
    assert waiting
    found.close()  # type: ignore[attr-defined]
    assert all(future.cancelled() for future in waiting)


def test_what_the_items_raise_is_raised() -> None:
    def broken() -> Iterator[Any]:
        yield b"image", [[1, 2, 3, 4]]
        raise LookupError("the camera is gone")

    with pytest.raises(LookupError, match="the camera is gone"):
        list(outcomes(broken(), {}, Engine(2, 1.0).begin))
    for item in ("photo.jpg", SAMPLE, (SAMPLE, [], {})):
        with pytest.raises(TypeError, match="an item is a pair of image and boxes"):
            list(outcomes([item], {}, Engine(3, 1.0).begin))  # type: ignore[list-item]


def test_many_images_as_one_by_one() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)

    def mixed() -> Iterator[Any]:
        for number in range(24):
            frame[:] = 10 * number  # as a camera does it
            yield frame, [[10, 20, 300, 400]]
        yield "/nowhere.jpg", BOX
        yield None, BOX
        yield SAMPLE.read_bytes()[:5000], BOX
        yield SAMPLE, [[5, 5, 1, 1]]
        yield SAMPLE, SAMPLE_BOXES

    with Session(repository=REPOSITORY) as session:
        found = [*session.segment_many(mixed(), threshold=0.3)]
        for number in (0, 11, 23):
            frame[:] = 10 * number
            outcome = found[number]
            assert isinstance(outcome, Result)
            assert outcome.instances == session.segment(frame, [[10, 20, 300, 400]], threshold=0.3).instances
        assert [type(outcome).__name__ for outcome in found[24:]] == [
            *("FileNotFoundError", "TypeError", "UndecodableImage", "InvalidRequest", "Result"),
        ]
        last = found[-1]
        assert isinstance(last, Result)
        assert last.instances == session.segment(SAMPLE, SAMPLE_BOXES, threshold=0.3).instances
        shared = {outcome.timings_ms["infer"] for outcome in found if isinstance(outcome, Result)}
        assert len(shared) < 25  # batches
        (late,) = session.segment_many([(SAMPLE, BOX)], timeout=1e-3)
        assert isinstance(late, ClientError)
        assert late.reason == "DEADLINE_EXCEEDED"
        assert [*session.segment_many([])] == []
        # What is wrong with all is said at once.
        with pytest.raises(TypeError, match="there is no option 'tresh'"):
            session.segment_many([], tresh=1)  # type: ignore[call-arg]
        for options in ({"threshold": 2}, {"variant": "b9"}, {"mode": "all"}):
            with pytest.raises(InvalidRequest):
                session.segment_many([], **options)  # type: ignore[arg-type]


BOX = [[100, 20, 250.5, 480]]
