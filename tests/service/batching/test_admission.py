"""Who is let in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from hiseg.batching.admission import LEAST_BYTES, Admission, State
from hiseg.core.errors import Overloaded, Unavailable

MEBI = 1024 * 1024


def admission(max_bytes: int = 100 * MEBI) -> Admission:
    door = Admission(max_bytes)
    door.state = State.READY
    return door


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_nobody_is_let_in_before_and_after(state: State) -> None:
    door = admission()
    door.state = state
    with pytest.raises(Unavailable) as raised:
        door.enter()
    assert raised.value.reason == state
    assert door.inside == 0


def test_bytes_are_counted_and_given_back_also_by_a_request_that_fails() -> None:
    door = admission()

    def request() -> None:
        with door.enter("a", 30 * MEBI) as place:
            assert (door.inside, door.held) == (1, 30 * MEBI)
            place.hold(10 * MEBI)
            assert door.held == 10 * MEBI
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        request()
    assert (door.inside, door.held) == (0, 0)


def test_one_client_gets_four_fifths_and_there_is_always_room_for_another() -> None:
    door = admission()
    with ExitStack() as inside:
        for _ in range(80):
            inside.enter_context(door.enter("flood", MEBI))
        with pytest.raises(Overloaded) as raised:
            door.enter("flood", MEBI)
        assert (raised.value.reason, raised.value.limit) == ("bytes", 100 * MEBI)
        for _ in range(16):
            inside.enter_context(door.enter("second", MEBI))
        with pytest.raises(Overloaded):
            door.enter("second", MEBI)
        inside.enter_context(door.enter("third", MEBI))
    assert (door.inside, door.held) == (0, 0)


def test_a_refused_request_holds_what_it_held_before() -> None:
    door = admission()
    with door.enter("a", MEBI) as place:
        with pytest.raises(Overloaded):
            place.hold(99 * MEBI)
        assert place.bytes == door.held == MEBI
    assert door.held == 0


def test_a_request_that_announces_nothing_counts_too() -> None:
    door = admission(10 * LEAST_BYTES)
    with ExitStack() as inside:
        for _ in range(8):
            inside.enter_context(door.enter())
        with pytest.raises(Overloaded):
            door.enter()
    assert door.held == 0


def test_the_last_to_leave_is_noticed() -> None:
    async def scenario() -> None:
        door = admission()
        await asyncio.wait_for(door.emptied(), 1)
        with door.enter():
            with door.enter():
                pass
            waiting = asyncio.create_task(door.emptied())
            await asyncio.sleep(0)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scenario())
