"""The order, limits and ends of the pipeline, with frames and maskers that the test controls."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

from hiseg.core.box import Box
from hiseg.core.policy import Policy
from hiseg.core.result import CropMask, Instance
from hiseg.video.boxes import BoxTrack, TrackedBox
from hiseg.video.frame import AnnotatedFrame, Frame, VideoError, VideoFormat
from hiseg.video.pipeline import MAX_FRAMES, MEBI, Pipeline, Plan, max_in_flight
from hiseg.video.run_stats import RunStats

BOX = Box(0, 0, 4, 4)
TRACK = BoxTrack((0,), ((TrackedBox(BOX),),))


def frame(number: int) -> Frame:
    return Frame(number, number, number / 10, np.zeros((8, 8, 3), dtype=np.uint8), time.monotonic())


class Numbers:
    """So many frames, a while apart; then an error, if one is given."""

    live = False
    expected = None
    format = VideoFormat(Fraction(1, 10), Fraction(10))

    def __init__(self, count: int, pause: float = 0.0, error: str = "", frame_bytes: int = 1) -> None:
        self.frame_bytes = frame_bytes
        self.given = 0
        self.closed = self.interrupted = False
        self._count, self._pause, self._error = count, pause, error
        self._threads: set[int] = set()

    def read(self) -> Frame | None:
        time.sleep(self._pause)
        self._threads.add(threading.get_ident())
        assert len(self._threads) == 1, "a file belongs to one thread"
        if self.given < self._count:
            self.given += 1
            return frame(self.given - 1)
        if self._error:
            raise VideoError(self._error)
        return None

    def interrupt(self) -> None:
        self.interrupted = True

    def close(self) -> None:
        assert threading.get_ident() in self._threads
        self.closed = True


class Shelf:
    """Keeps what is written; may break."""

    def __init__(self, breaks_at: int = -1) -> None:
        self.numbers: list[int] = []
        self.closed = False
        self._breaks_at = breaks_at

    def write(self, annotated: AnnotatedFrame) -> None:
        if annotated.frame.number == self._breaks_at:
            raise VideoError("the disk is full")
        self.numbers.append(annotated.frame.number)

    def close(self) -> None:
        self.closed = True


class Slow:
    """Takes its time, a different one for each frame; drops some."""

    def __init__(self, source: Numbers, shelf: Shelf, drops: frozenset[int] = frozenset(), most: float = 0.01) -> None:
        self.inside = self.most_inside = self.most_ahead = 0
        self._source, self._shelf, self._drops, self._most = source, shelf, drops, most
        self._random = random.Random(1)

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...] | None:
        assert boxes == (BOX,)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.most_ahead = max(self.most_ahead, self._source.given - len(self._shelf.numbers))
        await asyncio.sleep(self._random.random() * self._most)
        self.inside -= 1
        return None if frame.number in self._drops else (Instance(boxes[0], CropMask.empty(), 0.0),)


def run(source: Numbers, shelf: Shelf, masker: Slow, policy: Policy = Policy.WAIT, stop_after: int = -1) -> RunStats:
    stats = RunStats()
    steps = 0

    async def scenario() -> None:
        with ThreadPoolExecutor(2) as workers:
            pipeline = Pipeline(Plan(policy, TRACK, False, workers), source, masker, [shelf], stats)

            def step() -> None:
                nonlocal steps
                steps += 1
                if steps == stop_after:
                    pipeline.stop()

            await pipeline.run(step)

    try:
        asyncio.run(scenario())
    finally:
        assert source.closed
        assert shelf.closed
    assert steps == stats.written + len(masker._drops & set(range(source.given)))
    return stats


def test_all_frames_in_order_several_at_once_and_few_in_memory() -> None:
    source, shelf = Numbers(100), Shelf()
    masker = Slow(source, shelf)
    stats = run(source, shelf, masker)
    assert shelf.numbers == list(range(100))
    assert (stats.written, stats.dropped) == (100, 0)
    assert 4 <= masker.most_inside <= MAX_FRAMES
    assert masker.most_ahead <= MAX_FRAMES + 3, "one in the buffer, one on each side of it"


def test_what_the_masker_drops_is_counted_and_left_out() -> None:
    source, shelf = Numbers(20), Shelf()
    stats = run(source, shelf, Slow(source, shelf, frozenset({0, 7, 19})))
    assert shelf.numbers == [n for n in range(20) if n not in (0, 7, 19)]
    assert (stats.written, stats.dropped) == (17, 3)


def test_frames_before_an_input_error_are_written() -> None:
    source, shelf = Numbers(9, error="cable pulled"), Shelf()
    with pytest.raises(VideoError, match="cable pulled"):
        run(source, shelf, Slow(source, shelf))
    assert shelf.numbers == list(range(9))


def test_an_output_error_ends_the_run() -> None:
    source, shelf = Numbers(10**9), Shelf(breaks_at=5)
    with pytest.raises(VideoError, match="disk is full"):
        run(source, shelf, Slow(source, shelf))
    assert shelf.numbers == list(range(5))


def test_stop_writes_what_was_read() -> None:
    source, shelf = Numbers(10**9), Shelf()
    run(source, shelf, Slow(source, shelf), stop_after=30)
    assert source.interrupted
    assert shelf.numbers == list(range(source.given))
    assert 30 <= source.given <= 30 + MAX_FRAMES + 3


def test_latest_only_is_never_far_behind() -> None:
    source, shelf = Numbers(60, pause=0.002), Shelf()
    masker = Slow(source, shelf, most=0.04)
    stats = run(source, shelf, masker, Policy.LATEST_ONLY)
    assert stats.dropped > 5
    assert stats.written + stats.dropped == 60
    assert shelf.numbers == sorted(set(shelf.numbers))
    assert shelf.numbers[-1] == 59
    assert masker.most_inside <= 2


@pytest.mark.parametrize(
    ("policy", "frame_bytes", "expected"),
    [
        (Policy.WAIT, 1, MAX_FRAMES),
        (Policy.WAIT, 6 * MEBI, 10),
        (Policy.WAIT, 500 * MEBI, 2),
        (Policy.LATEST_ONLY, 1, 2),
        (Policy.DROP_OLDEST, 1, 2),
    ],
)
def test_max_in_flight(policy: Policy, frame_bytes: int, expected: int) -> None:
    assert max_in_flight(policy, frame_bytes) == expected
