"""The ledger of what waits, and what it predicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.batching.backlog import HEADROOM, QueuedCost, WaitEstimator
from hiseg.core.errors import DeadlineExceeded, Overloaded


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admit(
    backlog: WaitEstimator, cost: float, client: str = "a", share: float = 1.0, deadline: float | None = None
) -> QueuedCost:
    claim = QueuedCost(client, share, cost, cost)
    backlog.admit(claim, deadline)
    return claim


def admitted(backlog: WaitEstimator, cost: float, tries: int = 1000) -> int:
    for count in range(tries):
        try:
            admit(backlog, cost)
        except Overloaded:
            return count
    raise AssertionError("nothing was refused")


def test_one_job_of_n_boxes_and_n_jobs_of_one_box_are_admitted_alike() -> None:
    boxes_one_by_one = admitted(WaitEstimator(Clock(), 100), 1.0)
    boxes_in_eights = admitted(WaitEstimator(Clock(), 100), 8.0) * 8
    # The door looks at what waits before a job: the last one let in may reach over the limit.
    assert boxes_one_by_one == 101
    assert boxes_one_by_one - 8 < boxes_in_eights < boxes_one_by_one + 8


def test_exactly_what_is_over_the_limit_is_refused_with_the_time_to_come_back() -> None:
    backlog = WaitEstimator(Clock(), 2000)
    for _ in range(3):
        admit(backlog, 1000.0)
    for _ in range(5):
        with pytest.raises(Overloaded) as raised:
            admit(backlog, 1000.0)
        assert (raised.value.reason, raised.value.limit, raised.value.value) == ("wait", 2000, 3000)
        assert raised.value.retry_after == 1


def test_a_deadline_counts_what_waits_before_and_the_job_itself() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 2000)
    for _ in range(5):
        admit(backlog, 100.0)
    left = 0.1 + 0.5 / (1 - HEADROOM) + 0.001
    admit(backlog, 100.0, deadline=clock.now + left)
    with pytest.raises(Overloaded) as raised:
        admit(backlog, 100.0, deadline=clock.now + left)
    assert raised.value.reason == "deadline"
    with pytest.raises(DeadlineExceeded) as late:
        admit(backlog, 100.0, deadline=clock.now + 0.05)
    assert (late.value.field, late.value.limit, late.value.value) == ("deadline_ms", 50, 100)


def test_a_flood_by_one_client_leaves_the_door_open_for_another() -> None:
    backlog = WaitEstimator(Clock(), 1000)
    while True:
        try:
            admit(backlog, 10.0, client="flood")
        except Overloaded:
            break
    assert backlog.wait_ms("single", 1.0, 10.0) == pytest.approx(10.0)
    admit(backlog, 10.0, client="single")


def test_when_nothing_has_room_that_is_known_before_the_job_is() -> None:
    backlog = WaitEstimator(Clock(), 1000)
    backlog.check(QueuedCost("flood", 1.0, 0.0, 0.0), None)
    for _ in range(11):
        admit(backlog, 100.0, client="flood")
    with pytest.raises(Overloaded) as raised:
        backlog.check(QueuedCost("flood", 1.0, 0.0, 0.0), None)
    assert (raised.value.reason, raised.value.limit, raised.value.value) == ("wait", 1000, 1100)
    backlog.check(QueuedCost("single", 1.0, 0.0, 0.0), None)


def test_who_would_miss_a_deadline_whatever_the_job_is_refused_before_the_job_is_known() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 2000)
    for _ in range(9):
        admit(backlog, 100.0)
    backlog.check(QueuedCost("a", 1.0, 0.0, 0.0), clock.now + 0.9 / (1 - HEADROOM) + 0.001)
    with pytest.raises(Overloaded) as raised:
        backlog.check(QueuedCost("a", 1.0, 0.0, 0.0), clock.now + 0.9 / (1 - HEADROOM) - 0.001)
    assert (raised.value.reason, raised.value.value) == ("deadline", 900)


def test_a_batch_job_expects_to_wait_ten_times_as_long_among_interactive_ones() -> None:
    backlog = WaitEstimator(Clock(), 10_000)
    for _ in range(100):
        admit(backlog, 10.0)
    assert backlog.wait_ms("b", 1.0, 10.0) == pytest.approx(10)
    assert backlog.wait_ms("b", 0.1, 10.0) == pytest.approx(100)


def test_a_running_batch_counts_for_what_is_left_of_it_and_more_when_it_is_late() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 10_000)
    run = backlog.began(100, 90)
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(100)
    clock.now += 0.08
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(20)
    clock.now += 0.32
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(300)
    backlog.ended(run)
    assert backlog.wait_ms("a", 1.0, 1.0) == 0


def test_the_pace_follows_the_bottleneck() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 1e9)
    for _ in range(1000):
        admit(backlog, 1.0)
    for _ in range(100):  # each batch costs 10 ms of the engine, but comes only every 30
        run = backlog.began(10, 10)
        clock.now += 0.01
        backlog.ended(run)
        clock.now += 0.02
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(3000, rel=0.05)


def test_the_pace_includes_what_a_batch_costs_beside_its_jobs() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 1e9)
    for _ in range(10):
        admit(backlog, 10.0)
    for _ in range(100):  # a job claims 10 ms, a batch of one takes 15
        run = backlog.began(15, 10)
        clock.now += 0.015
        backlog.ended(run)
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(150, rel=0.05)


def test_the_time_after_the_engine_counts_against_the_deadline() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 1e9)
    admit(backlog, 100.0)
    admit(backlog, 100.0, deadline=clock.now + 0.25)
    for _ in range(100):
        backlog.answered(100.0)
    with pytest.raises(Overloaded):
        admit(backlog, 100.0, deadline=clock.now + 0.45)


def test_several_slots_share_the_work() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 1e9, slots=4)
    for _ in range(8):
        admit(backlog, 10.0)
    for _ in range(4):
        backlog.began(10, 10)
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx((40 + 80) / 4)


def test_moments_of_rest_do_not_slow_the_pace() -> None:
    clock = Clock()
    backlog = WaitEstimator(clock, 1e9)
    for _ in range(50):
        claim = admit(backlog, 10.0)
        backlog.leave(claim)
        run = backlog.began(10, 10)
        clock.now += 0.01
        backlog.ended(run)
        clock.now += 60
    admit(backlog, 10.0)
    assert backlog.wait_ms("a", 1.0, 1.0) == pytest.approx(10)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1.0, 0.1]), st.floats(0.01, 1e4))), st.randoms())
def test_the_ledger_returns_to_zero(jobs: list[tuple[str, float, float]], random: object) -> None:
    backlog = WaitEstimator(Clock(), 1e12)
    claims = [admit(backlog, cost, client, share) for client, share, cost in jobs]
    assert backlog.waiting_ms == pytest.approx(sum(cost for _, _, cost in jobs))
    random.shuffle(claims)  # type: ignore[attr-defined]
    for claim in claims:
        backlog.leave(claim)
    assert backlog.waiting_ms == 0
