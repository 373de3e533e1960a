"""The wait that is predicted from the queued and running jobs, and the jobs that are refused because of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.batching.wait import DEADLINE_MARGIN, LONG_JOB_MS, WaitEstimator
from hiseg.core.errors import DeadlineExceeded, Overloaded


@dataclass
class Waiting:
    client: str
    share: float
    cost_ms: float
    alone_ms: float


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admit(
    estimator: WaitEstimator, cost: float, client: str = "a", share: float = 1.0, deadline: float | None = None
) -> Waiting:
    job = Waiting(client, share, cost, cost)
    estimator.admit(job, deadline)
    return job


def admitted(estimator: WaitEstimator, cost: float, tries: int = 1000) -> int:
    for count in range(tries):
        try:
            admit(estimator, cost)
        except Overloaded:
            return count
    raise AssertionError("nothing was refused")


def test_one_job_of_n_boxes_and_n_jobs_of_one_box_are_admitted_alike() -> None:
    boxes_one_by_one = admitted(WaitEstimator(Clock(), 100), 1.0)
    boxes_in_eights = admitted(WaitEstimator(Clock(), 100), 8.0) * 8
    # Admission looks at what waits before a job: the last one let in may reach over the limit.
    assert boxes_one_by_one == 101
    assert boxes_one_by_one - 8 < boxes_in_eights < boxes_one_by_one + 8


def test_exactly_what_is_over_the_limit_is_refused_with_the_time_to_come_back() -> None:
    estimator = WaitEstimator(Clock(), 2000)
    for _ in range(3):
        admit(estimator, 1000.0)
    for _ in range(5):
        with pytest.raises(Overloaded) as raised:
            admit(estimator, 1000.0)
        assert (raised.value.reason, raised.value.limit, raised.value.value) == ("WAIT_TOO_LONG", 2000, 3000)
        assert raised.value.retry_after == 1


def test_a_deadline_counts_what_waits_before_and_the_job_itself() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 2000)
    for _ in range(5):
        admit(estimator, 100.0)
    left = 0.1 + 0.5 / (1 - DEADLINE_MARGIN) + 0.001
    admit(estimator, 100.0, deadline=clock.now + left)
    with pytest.raises(Overloaded) as raised:
        admit(estimator, 100.0, deadline=clock.now + left)
    assert raised.value.reason == "WAIT_PAST_DEADLINE"
    with pytest.raises(DeadlineExceeded) as late:
        admit(estimator, 100.0, deadline=clock.now + 0.05)
    assert (late.value.field, late.value.limit, late.value.value) == ("deadline_ms", 50, 100)


def test_a_flood_by_one_client_leaves_room_for_another() -> None:
    estimator = WaitEstimator(Clock(), 1000)
    while True:
        try:
            admit(estimator, 10.0, client="flood")
        except Overloaded:
            break
    assert estimator.wait_ms("single", 1.0, 10.0) == pytest.approx(10.0)
    admit(estimator, 10.0, client="single")


def test_when_nothing_has_room_that_is_known_before_the_job_is() -> None:
    estimator = WaitEstimator(Clock(), 1000)
    estimator.check("flood", 1.0, 0.0, 0.0, None)
    for _ in range(11):
        admit(estimator, 100.0, client="flood")
    with pytest.raises(Overloaded) as raised:
        estimator.check("flood", 1.0, 0.0, 0.0, None)
    assert (raised.value.reason, raised.value.limit, raised.value.value) == ("WAIT_TOO_LONG", 1000, 1100)
    estimator.check("single", 1.0, 0.0, 0.0, None)


def test_who_would_miss_a_deadline_whatever_the_job_is_refused_before_the_job_is_known() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 2000)
    for _ in range(9):
        admit(estimator, 100.0)
    estimator.check("a", 1.0, 0.0, 0.0, clock.now + 0.9 / (1 - DEADLINE_MARGIN) + 0.001)
    with pytest.raises(Overloaded) as raised:
        estimator.check("a", 1.0, 0.0, 0.0, clock.now + 0.9 / (1 - DEADLINE_MARGIN) - 0.001)
    assert (raised.value.reason, raised.value.value) == ("WAIT_PAST_DEADLINE", 900)


def test_a_batch_job_expects_to_wait_ten_times_as_long_among_interactive_ones() -> None:
    estimator = WaitEstimator(Clock(), 10_000)
    for _ in range(100):
        admit(estimator, 10.0)
    assert estimator.wait_ms("b", 1.0, 10.0) == pytest.approx(10)
    assert estimator.wait_ms("b", 0.1, 10.0) == pytest.approx(100)


def test_a_running_batch_counts_for_what_is_left_of_it_and_more_when_it_is_late() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 10_000)
    run = estimator.start_batch(100, 90)
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(100)
    clock.now += 0.08
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(20)
    clock.now += 0.32
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(300)
    estimator.end_batch(run)
    assert estimator.wait_ms("a", 1.0, 1.0) == 0


def test_the_pace_follows_the_bottleneck() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 1e9)
    for _ in range(1000):
        admit(estimator, 1.0)
    for _ in range(100):  # each batch costs 10 ms of the engine, but comes only every 30
        run = estimator.start_batch(10, 10)
        clock.now += 0.01
        estimator.end_batch(run)
        clock.now += 0.02
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(3000, rel=0.05)


def test_the_pace_includes_what_a_batch_costs_beside_its_jobs() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 1e9)
    for _ in range(10):
        admit(estimator, 10.0)
    for _ in range(100):  # a job claims 10 ms, a batch of one takes 15
        run = estimator.start_batch(15, 10)
        clock.now += 0.015
        estimator.end_batch(run)
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(150, rel=0.05)


def test_the_time_after_the_engine_counts_against_the_deadline() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 1e9)
    admit(estimator, 100.0)
    admit(estimator, 100.0, deadline=clock.now + 0.25)
    for _ in range(100):
        estimator.observe_answer(100.0)
    with pytest.raises(Overloaded):
        admit(estimator, 100.0, deadline=clock.now + 0.45)


def test_several_slots_share_the_work() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 1e9, slots=4)
    for _ in range(8):
        admit(estimator, 10.0)
    for _ in range(4):
        estimator.start_batch(10, 10)
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx((40 + 80) / 4)


def test_moments_of_rest_do_not_slow_the_pace() -> None:
    clock = Clock()
    estimator = WaitEstimator(clock, 1e9)
    for _ in range(50):
        job = admit(estimator, 10.0)
        estimator.remove(job)
        run = estimator.start_batch(10, 10)
        clock.now += 0.01
        estimator.end_batch(run)
        clock.now += 60
    admit(estimator, 10.0)
    assert estimator.wait_ms("a", 1.0, 1.0) == pytest.approx(10)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1.0, 0.1]), st.floats(0.01, 1e4))), st.randoms())
def test_the_account_returns_to_zero(jobs: list[tuple[str, float, float]], random: object) -> None:
    estimator = WaitEstimator(Clock(), 1e12)
    waiting = [admit(estimator, cost, client, share) for client, share, cost in jobs]
    assert estimator.waiting_ms == pytest.approx(sum(cost for _, _, cost in jobs))
    random.shuffle(waiting)  # type: ignore[attr-defined]
    for job in waiting:
        estimator.remove(job)
    assert estimator.waiting_ms == 0


def test_who_shares_a_slot_is_expected_to_take_longer_by_just_that() -> None:
    now = 100.0
    estimator = WaitEstimator(lambda: now, 1e9)
    first = estimator.start_batch(100, 100)
    now += 0.05
    assert estimator.next_free_ms() == pytest.approx(50)
    second = estimator.start_batch(100, 100)
    assert estimator.running_ms(1) == pytest.approx(150)
    assert estimator.next_free_ms() == pytest.approx(100)
    now += 0.1
    estimator.end_batch(first)
    assert (first.used_ms, second.used_ms) == (pytest.approx(100), pytest.approx(50))
    assert estimator.running_ms(1) == pytest.approx(50)


def test_a_crowd_is_waited_for_by_other_crowds_alone_where_its_slot_can_be_shared() -> None:
    for can_share in (True, False):
        estimator = WaitEstimator(Clock(), 2000, can_share=can_share)
        run = estimator.start_batch(3000, 2990, is_shared=True)
        assert estimator.running_ms(LONG_JOB_MS + 1) == pytest.approx(3000)
        assert estimator.running_ms(LONG_JOB_MS) == pytest.approx(0 if can_share else 3000)
        estimator.start_batch(20, 10)
        assert estimator.running_ms(10) == pytest.approx(20 if can_share else 3020)
        estimator.resize(2, not can_share)
        assert estimator.running_ms(10) == pytest.approx(1510 if can_share else 10)
        estimator.end_batch(run)
