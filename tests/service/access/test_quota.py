"""A client never gets more than its rate allows, and never less than it promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.access.quota import ConcurrencyLimit, TokenBucket
from hiseg.core.errors import Overloaded

RATES = st.floats(0.01, 1000)
GAPS = st.lists(st.floats(0, 10), min_size=1, max_size=60)


@given(rate=RATES, gaps=GAPS)
def test_no_period_grants_more_than_the_burst_and_the_refill(rate: float, gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, []
    for gap in gaps:
        now += gap
        if not bucket.take(now):
            taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            count = last - first + 1
            assert count <= bucket.size + rate * (taken[last] - start) + 1e-6


@given(rate=RATES, gaps=GAPS)
def test_a_caller_who_waits_for_retry_after_is_admitted(rate: float, gaps: list[float]) -> None:
    bucket, now = TokenBucket(rate, 0.0), 0.0
    for gap in gaps:
        now += gap
        if wait := bucket.take(now):
            assert wait <= 1 / rate * (1 + 1e-9)
            now += wait * (1 + 1e-9) + 1e-9
            assert bucket.take(now) == 0


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = TokenBucket(1.0, 10.0)
    assert bucket.take(10.0) == 0
    assert bucket.take(5.0) > 0
    assert bucket.take(10.5) > 0


def test_no_more_are_open_at_once_than_the_limit() -> None:
    limit = ConcurrencyLimit("streams", 2)
    with limit.acquire():
        with (
            limit.acquire(),
            pytest.raises(Overloaded, match="2 streams are open; at most 2") as caught,
            limit.acquire(),
        ):
            pass
        assert (caught.value.reason, caught.value.limit, caught.value.value) == ("streams", 2, 3)
        with limit.acquire():
            assert limit.active == 2
    assert limit.active == 0
