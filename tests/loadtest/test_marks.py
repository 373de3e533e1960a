"""Which loads pass, and at which number of users the knee is."""

from __future__ import annotations

import dataclasses

import pytest

from loadtest.marks import Marks, Seen, knee

GOOD = Seen(asked=10, good=9.5, failures=0.0, p95_ms=200)
LATE = Seen(asked=20, good=19, failures=0.0, p95_ms=1200)


def test_a_good_load_misses_no_mark() -> None:
    assert Marks().misses(GOOD) == []


@pytest.mark.parametrize(
    ("change", "word"), [({"failures": 0.02}, "failed"), ({"p95_ms": 1001.0}, "p95"), ({"good": 8.9}, "asked")]
)
def test_each_mark_can_be_missed_alone(change: dict[str, float], word: str) -> None:
    (missed,) = Marks().misses(dataclasses.replace(GOOD, **change))
    assert word in missed


def test_what_is_just_allowed_passes() -> None:
    assert Marks().misses(Seen(asked=10, good=9, failures=0.01, p95_ms=1000)) == []


def test_the_knee_is_the_first_step_that_misses_a_mark() -> None:
    said = knee([(6, GOOD), (12, LATE), (18, LATE)], Marks())
    assert said.startswith("knee at 12 users: p95 is 1200 ms")
    assert "last good step is 6 users" in said


def test_the_first_step_may_be_the_knee_already() -> None:
    assert "no step was good" in knee([(6, LATE)], Marks())


def test_without_a_missed_mark_there_is_no_knee() -> None:
    assert knee([(6, GOOD)], Marks()).startswith("no knee up to 6 users")
    assert knee([], Marks()) == "no step was finished"
