"""Timestamps that an encoder takes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hiseg.video.timeline import Timeline


@given(st.lists(st.none() | st.integers(-(10**9), 10**9)), st.integers(-5, 1000))
def test_from_zero_and_always_later(stamps: list[int | None], step: int) -> None:
    timeline = Timeline(step)
    placed = [timeline.place(stamp) for stamp in stamps]
    assert placed[:1] in ([], [0])
    assert all(later > earlier for earlier, later in pairwise(placed))


@given(st.integers(-(10**6), 10**6), st.sets(st.integers(1, 10**6)))
def test_distances_are_kept(origin: int, later: set[int]) -> None:
    timeline = Timeline(40)
    distances = [0, *sorted(later)]
    assert [timeline.place(origin + distance) for distance in distances] == distances


def test_a_clock_that_jumps_back_goes_on() -> None:
    timeline = Timeline(40)
    assert [timeline.place(stamp) for stamp in (9000, 9040, 5, 45, None, 125)] == [0, 40, 80, 120, 160, 200]
