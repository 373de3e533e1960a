"""The circuit breaker, on a clock of its own."""

from __future__ import annotations

import pytest

from hiseg.engines.triton.breaker import COOL_DOWN_S, FAILURES, FORGET_S, LONGEST_COOL_DOWN_S, Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_when_batches_fail_in_a_row_and_not_before() -> None:
    breaker = Breaker(Clock())
    for _ in range(10):
        for _ in range(FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open
    for _ in range(FAILURES):
        breaker.failed()
    assert breaker.is_open


def test_each_time_it_opens_again_soon_it_asks_for_twice_the_patience() -> None:
    clock = Clock()
    breaker, patience = Breaker(clock), COOL_DOWN_S
    for _ in range(8):
        breaker.trip()
        clock.now += patience - 0.01
        assert not breaker.may_try
        clock.now += 0.02
        assert breaker.may_try
        breaker.close()
        patience = min(2 * patience, LONGEST_COOL_DOWN_S)


def test_long_after_it_is_patient_no_more() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(6):
        breaker.trip()
        breaker.close()
    clock.now += FORGET_S + LONGEST_COOL_DOWN_S + 1
    breaker.trip()
    clock.now += COOL_DOWN_S
    assert breaker.may_try


def test_silence_opens_it_and_the_first_word_lets_it_be_tried() -> None:
    breaker = Breaker(Clock())
    breaker.silent()
    breaker.heard()
    breaker.silent()
    assert not breaker.is_open, "one question unanswered is no silence"
    breaker.silent()
    assert breaker.is_open
    assert breaker.may_try
    breaker.close()
    assert not breaker.is_open


@pytest.mark.parametrize("failures", [0, FAILURES - 1])
def test_closing_forgives(failures: int) -> None:
    breaker = Breaker(Clock())
    for _ in range(failures):
        breaker.failed()
    breaker.close()
    breaker.failed()
    assert not breaker.is_open
