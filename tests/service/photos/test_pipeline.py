"""Many photos at once: within bounds, in order, past those that fail, and not past what concerns them all."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.command_errors import CommandError
from hiseg.photos.pipeline import LISTED, Failure, PhotoError, Room, list_failures, process


@given(
    waits=st.lists(st.integers(0, 3), max_size=40),
    bad=st.sets(st.integers(0, 39)),
    at_once=st.integers(1, 8),
)
def test_every_photo_is_done_once_or_listed(waits: list[int], bad: set[int], at_once: int) -> None:
    begun: list[int] = []
    done: list[int] = []
    progress: list[None] = []
    inside = most = 0

    async def work(photo: int) -> None:
        nonlocal inside, most
        begun.append(photo)
        inside += 1
        most = max(most, inside)
        for _ in range(waits[photo]):
            await asyncio.sleep(0)
        inside -= 1
        if photo in bad:
            raise PhotoError(f"no {photo}")
        done.append(photo)

    count = len(waits)
    failures = asyncio.run(process(range(count), work, "photo {}".format, lambda: progress.append(None), at_once))
    assert begun == list(range(count))
    assert sorted(done) == [photo for photo in range(count) if photo not in bad]
    assert failures == [Failure(f"photo {photo}", f"no {photo}") for photo in range(count) if photo in bad]
    assert len(progress) == count
    assert most <= at_once


def test_what_concerns_all_photos_ends_the_work() -> None:
    cancelled = []

    async def work(photo: int) -> None:
        if photo == 3:
            raise CommandError("the server is gone")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(photo)
            raise

    with pytest.raises(CommandError, match="gone"):
        asyncio.run(process(range(100), work, str, at_once=5))
    assert sorted(cancelled) == [0, 1, 2, 4]


def test_photos_in_progress_hold_no_more_bytes_than_there_is_room_for() -> None:
    held: set[int] = set()
    most: list[int] = []

    async def hold(room: Room, nbytes: int) -> None:
        async with room.take(nbytes):
            held.add(nbytes)
            most.append(sum(held))
            await asyncio.sleep(0)
            held.discard(nbytes)

    async def run() -> None:
        room = Room(100)
        await asyncio.gather(*(hold(room, nbytes) for nbytes in (60, 50, 250, 39, 1)))

    asyncio.run(run())
    assert sorted(each for each in most if each > 100) == [250]


def test_a_long_list_of_failures_is_cut() -> None:
    failures = [Failure(f"{number}.jpg", "it is empty") for number in range(LISTED + 7)]
    lines = list_failures(failures)
    assert lines[0] == "0.jpg: it is empty"
    assert lines[LISTED:] == ["and 7 more"]
    assert list_failures(failures[:LISTED])[-1] == f"{LISTED - 1}.jpg: it is empty"
