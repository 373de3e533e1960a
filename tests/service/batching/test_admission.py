"""Which requests are admitted, and how their memory is counted."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from hiseg.batching.admission import MIN_RESERVATION_BYTES, Admission, State
from hiseg.core.errors import Overloaded, Reason, Unavailable

MEBI = 1024 * 1024


def open_admission(max_bytes: int = 100 * MEBI) -> Admission:
    admission = Admission(max_bytes)
    admission.state = State.READY
    return admission


@pytest.mark.parametrize(
    ("state", "reason"), [(State.STARTING, Reason.STARTING), (State.DRAINING, Reason.SHUTTING_DOWN)]
)
def test_requests_are_refused_before_the_start_and_while_draining(state: State, reason: Reason) -> None:
    admission = open_admission()
    admission.state = state
    with pytest.raises(Unavailable) as raised:
        admission.admit()
    assert raised.value.reason is reason
    assert admission.active_requests == 0


def test_bytes_are_counted_and_given_back_also_by_a_request_that_fails() -> None:
    admission = open_admission()

    def request() -> None:
        with admission.admit("a", 30 * MEBI) as reservation:
            assert (admission.active_requests, admission.reserved_bytes) == (1, 30 * MEBI)
            reservation.reserve(10 * MEBI)
            assert admission.reserved_bytes == 10 * MEBI
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        request()
    assert (admission.active_requests, admission.reserved_bytes) == (0, 0)


def test_one_client_gets_four_fifths_and_there_is_always_room_for_another() -> None:
    admission = open_admission()
    with ExitStack() as inside:
        for _ in range(80):
            inside.enter_context(admission.admit("flood", MEBI))
        with pytest.raises(Overloaded) as raised:
            admission.admit("flood", MEBI)
        assert (raised.value.reason, raised.value.limit) == ("MEMORY_IN_USE", 100 * MEBI)
        for _ in range(16):
            inside.enter_context(admission.admit("second", MEBI))
        with pytest.raises(Overloaded):
            admission.admit("second", MEBI)
        inside.enter_context(admission.admit("third", MEBI))
    assert (admission.active_requests, admission.reserved_bytes) == (0, 0)


def test_a_refused_request_holds_what_it_held_before() -> None:
    admission = open_admission()
    with admission.admit("a", MEBI) as reservation:
        with pytest.raises(Overloaded):
            reservation.reserve(99 * MEBI)
        assert reservation.bytes == admission.reserved_bytes == MEBI
    assert admission.reserved_bytes == 0


def test_a_request_that_announces_nothing_counts_too() -> None:
    admission = open_admission(10 * MIN_RESERVATION_BYTES)
    with ExitStack() as inside:
        for _ in range(8):
            inside.enter_context(admission.admit())
        with pytest.raises(Overloaded):
            admission.admit()
    assert admission.reserved_bytes == 0


def test_draining_wakes_everybody_who_waits_for_it() -> None:
    async def scenario() -> None:
        admission = open_admission()
        waiting = [asyncio.create_task(admission.wait_until_draining()) for _ in range(2)]
        admission.state = State.LAME_DUCK
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        admission.state = State.DRAINING
        await asyncio.wait_for(asyncio.gather(*waiting), 1)
        await asyncio.wait_for(admission.wait_until_draining(), 1)

    asyncio.run(scenario())


def test_waiting_for_the_last_request_ends_when_it_leaves() -> None:
    async def scenario() -> None:
        admission = open_admission()
        await asyncio.wait_for(admission.wait_until_empty(), 1)
        with admission.admit():
            with admission.admit():
                pass
            waiting = asyncio.create_task(admission.wait_until_empty())
            await asyncio.sleep(0)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scenario())
