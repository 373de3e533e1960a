"""A frame has its own boxes, or the latest earlier ones, whose age is told and may be limited."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.video.boxes import BoxTrack, FrameBoxes, TrackedBox, same_boxes_for_all

SOMEBODY = (TrackedBox(Box(0, 0, 1, 1)),)


def test_times_may_be_rounded_to_milliseconds() -> None:
    track = BoxTrack((0.334,), (SOMEBODY,), by_time=True)
    assert track.at(10, 10 / 30).people
    assert not track.at(9, 9 / 30).people


@given(st.sets(st.integers(0, 40)), st.integers(0, 60), st.integers(0, 30) | st.just(math.inf), st.booleans())
def test_boxes_are_used_until_they_are_too_old(starts: set[int], number: int, max_age: float, by_time: bool) -> None:
    track = BoxTrack(sorted(starts), [SOMEBODY] * len(starts), by_time, max_age=max_age)
    age = min((number - start for start in starts if start <= number), default=math.inf)
    expected = FrameBoxes(SOMEBODY, age) if age <= max_age and age < math.inf else FrameBoxes()
    assert track.at(number, float(number)) == expected


@pytest.mark.parametrize("by_time", [False, True])
def test_lines_behind_the_end_are_told(by_time: bool) -> None:
    track = BoxTrack((0, 2.5, 9), ((), (), ()), by_time=by_time)
    assert track.behind(9, 9.0) == ""
    assert track.behind(4, 4.0).startswith("1 of 3 lines of --boxes are for frames after the last one")
    assert BoxTrack((), ()).behind(0, 0) == ""


def test_ids_are_in_the_order_in_which_people_appear() -> None:
    box = Box(0, 0, 1, 1)
    rows = [(TrackedBox(box, "b"), TrackedBox(box)), (TrackedBox(box, 7), TrackedBox(box, "b")), (TrackedBox(box, 3),)]
    assert BoxTrack((0, 1, 2), rows).ids == ["b", 7, 3]


def test_the_same_for_all_frames() -> None:
    track = same_boxes_for_all(["1,2,3,4", "5,6,7,8.5"], 2)
    expected = FrameBoxes((TrackedBox(Box(1, 2, 3, 4)), TrackedBox(Box(5, 6, 7, 8.5))))
    assert track.at(0, 0) == track.at(10**6, 9e9) == expected
    assert same_boxes_for_all([], 2).is_empty
