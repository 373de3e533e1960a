"""Memory that large requests have taken is given back to the system."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest

from hiseg.core import heap

MEBI = 1024 * 1024


def take_and_free(nbytes: int, block: int = 64 * 1024) -> np.ndarray:
    """Take much memory in small blocks and free it, but for the last block: it keeps the system from having it back."""
    blocks = [np.ones(block, np.uint8) for _ in range(nbytes // block)]
    return blocks[-1]


@pytest.mark.parametrize(("held", "is_given_back"), [(0, True), (10**9, False)])
def test_freed_memory_is_given_back_once_little_is_held(
    held: int, is_given_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap.return_freed_memory()
    monkeypatch.setattr(heap, "CHECK_SECONDS", 0.01)

    async def scenario() -> int:
        returning = asyncio.create_task(heap.return_memory_when_idle(lambda: held))
        await asyncio.sleep(0)
        kept = take_and_free(200 * MEBI)
        before = heap.resident_bytes()
        for _ in range(20):
            await asyncio.sleep(0.01)
        after = heap.resident_bytes()
        returning.cancel()
        assert kept.all()
        return before - after

    assert (asyncio.run(scenario()) > 100 * MEBI) is is_given_back


def test_memory_is_given_back_once_more_when_nothing_is_held_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "CHECK_SECONDS", 0.01)
    heap.return_freed_memory()
    held, given_back_while = 1, []
    give_back, given_back = heap.return_freed_memory, threading.Semaphore(0)

    def note_and_give_back() -> None:
        given_back_while.append(held)
        give_back()
        given_back.release()

    monkeypatch.setattr(heap, "return_freed_memory", note_and_give_back)

    async def scenario() -> None:
        nonlocal held
        returning = asyncio.create_task(heap.return_memory_when_idle(lambda: held))
        await asyncio.sleep(0)
        kept = take_and_free(200 * MEBI)
        assert await asyncio.to_thread(given_back.acquire, timeout=30)
        held = 0
        assert await asyncio.to_thread(given_back.acquire, timeout=30)
        for _ in range(20):
            await asyncio.sleep(0.01)
        returning.cancel()
        assert kept.all()

    asyncio.run(scenario())
    assert given_back_while == [1, 0]


@pytest.fixture
def large_blocks() -> Iterator[None]:
    before = PIL.Image.core.get_block_size()
    heap.return_large_images()
    yield
    PIL.Image.core.set_block_size(before)


@pytest.mark.usefixtures("large_blocks")
def test_threads_keep_nothing_of_large_images() -> None:
    heap.keep_freed_memory()

    def fill() -> None:
        # Small blocks among the large ones keep those from being joined and given back.
        images = [PIL.Image.new("RGBA", (6000, 5000), "white") for _ in range(2)]
        kept.append(images.pop(0).resize((10, 10)))

    kept: list[PIL.Image.Image] = []
    before = heap.resident_bytes()
    for _ in range(3):
        thread = threading.Thread(target=fill)
        thread.start()
        thread.join()
    assert heap.resident_bytes() - before < 64 * MEBI
