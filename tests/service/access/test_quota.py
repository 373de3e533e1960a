"""A client never gets more than its rate allows, and never less than it promises."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.access.quota import ClientQuota, ConcurrencyLimit, Limits, TokenBucket, address_share
from hiseg.core.errors import Overloaded, Reason

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
    limit = ConcurrencyLimit("streams", 2, Reason.TOO_MANY_STREAMS)
    with limit.acquire("a"):
        with (
            limit.acquire("b"),
            pytest.raises(Overloaded, match="2 streams are open; at most 2") as caught,
            limit.acquire("c"),
        ):
            pass
        assert (caught.value.reason, caught.value.limit, caught.value.value) == (Reason.TOO_MANY_STREAMS, 2, 3)
        with limit.acquire("a"):
            assert limit.active == 2
    assert limit.active == 0


def test_one_client_leaves_a_fifth_to_others() -> None:
    limit = ConcurrencyLimit("streams", 320, Reason.TOO_MANY_STREAMS)
    with ExitStack() as open_streams:
        for _ in range(256):
            open_streams.enter_context(limit.acquire("greedy"))
        with pytest.raises(Overloaded, match="256 of the 256 open streams are this client's") as caught:
            limit.enter("greedy")
        assert (caught.value.reason, caught.value.limit, caught.value.value) == (Reason.TOO_MANY_STREAMS, 256, 257)
        for number in range(64):
            open_streams.enter_context(limit.acquire(f"other {number}"))
    assert limit.active == 0
    limit.enter("greedy")


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=200), st.integers(1, 20))
def test_counts_of_clients_add_up(steps: list[tuple[int, bool]], most: int) -> None:
    limit, held = ConcurrencyLimit("calls", most), Counter[str]()
    for number, opens in steps:
        client = str(number)
        if opens:
            fits = held.total() < most and held[client] < 4 * (most - held.total())
            with nullcontext() if fits else pytest.raises(Overloaded):
                limit.enter(client)
            held[client] += fits
        elif held[client]:
            limit.leave(client)
            held[client] -= 1
        assert limit.active == held.total() <= most


@pytest.mark.parametrize(
    ("address", "share"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:4711", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", "unix:"),
        ("", ""),
        ("somebody", "somebody"),
        ("x" * 10_000, "x" * 64),
    ],
)
def test_share_of_an_address(address: str, share: str) -> None:
    assert address_share(address) == share
    assert ClientQuota().client_id(address) == share
    assert ClientQuota("web").client_id(address) == "key:web"


def test_other_limits_hold_at_once_and_counts_stay() -> None:
    quota = ClientQuota("web", Limits(rate=0, concurrent=2), lambda: 0.0)
    with quota.acquire():
        quota.change_limits(Limits(rate=0.001, concurrent=1))
        with pytest.raises(Overloaded), quota.acquire():
            pass
        quota.take_token()
        with pytest.raises(Overloaded) as caught:
            quota.take_token()
        assert caught.value.retry_after == 1000
    assert quota.active == 0
