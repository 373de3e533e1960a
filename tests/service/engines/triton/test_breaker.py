"""The circuit breaker, with a clock of the test's own."""

from __future__ import annotations

import pytest

from hiseg.engines.triton.breaker import COOL_DOWN_S, FORGET_S, MAX_COOL_DOWN_S, MAX_FAILURES, Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_consecutive_failures_and_not_before() -> None:
    breaker = Breaker(Clock())
    for _ in range(10):
        for _ in range(MAX_FAILURES - 1):
            breaker.record_failure()
        breaker.record_success()
    assert not breaker.is_open
    for _ in range(MAX_FAILURES):
        breaker.record_failure()
    assert breaker.is_open


def test_the_cool_down_doubles_each_time_it_opens_again_soon() -> None:
    clock = Clock()
    breaker, patience = Breaker(clock), COOL_DOWN_S
    for _ in range(8):
        breaker.trip()
        clock.now += patience - 0.01
        assert not breaker.allows_test
        clock.now += 0.02
        assert breaker.allows_test
        breaker.close()
        patience = min(2 * patience, MAX_COOL_DOWN_S)


def test_the_cool_down_is_reset_after_a_long_time() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(6):
        breaker.trip()
        breaker.close()
    clock.now += FORGET_S + MAX_COOL_DOWN_S + 1
    breaker.trip()
    clock.now += COOL_DOWN_S
    assert breaker.allows_test


def test_two_missed_answers_in_a_row_open_it_and_a_test_is_allowed_at_once() -> None:
    breaker = Breaker(Clock())
    breaker.record_missed_answer()
    breaker.record_answer()
    breaker.record_missed_answer()
    assert not breaker.is_open, "one question unanswered is no silence"
    breaker.record_missed_answer()
    assert breaker.is_open
    assert breaker.allows_test
    breaker.close()
    assert not breaker.is_open


@pytest.mark.parametrize("failures", [0, MAX_FAILURES - 1])
def test_closing_resets_the_count_of_failures(failures: int) -> None:
    breaker = Breaker(Clock())
    for _ in range(failures):
        breaker.record_failure()
    breaker.close()
    breaker.record_failure()
    assert not breaker.is_open
