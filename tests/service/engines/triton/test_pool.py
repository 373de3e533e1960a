"""Shared memory between engine and a real server is reused, released, and removed after a crash of its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from benchmarks.harness.triton.engine import engine_on, until
from benchmarks.harness.triton.fragile.marks import SLOW
from benchmarks.harness.triton.models import fragile_repository, targets_of
from benchmarks.harness.triton.server import Triton, triton
from hiseg.core.errors import Unavailable
from hiseg.engines.triton.connection import connect
from hiseg.engines.triton.regions import PREFIX, SHARED_MEMORY
from tests.service.engines.triton.harness import NOTHING, assert_own, marked

FRONT_END = """
import asyncio
from benchmarks.harness.triton.engine import engine_on
from tests.service.engines.triton.harness import NOTHING, marked

async def main():
    async with engine_on("{engine}", NOTHING) as engine:
        await engine.infer(marked(1))
        print("used", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    with triton(fragile_repository(tmp_path_factory.mktemp("fragile"))) as running:
        yield running


def registered(server: Triton) -> set[str]:
    """Regions that the server knows."""
    answer = httpx.get(f"{server.url}/v2/systemsharedmemory/status").json()
    return {region["name"] for region in answer}


def files() -> set[str]:
    return {path.name for path in SHARED_MEMORY.glob(f"{PREFIX}*")}


def test_many_batches_share_few_regions_and_leave_none(server: Triton) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            for marker in range(200):
                batch = marked(marker % 60 + 1, rois=marker % 5)
                assert_own(await engine.infer(batch), batch)
            assert len(registered(server)) <= 2
            assert registered(server) <= files()
            used.update(registered(server))

    used: set[str] = set()
    asyncio.run(scenario())
    assert used
    assert registered(server) == set()
    assert not used & files()


def test_regions_of_a_killed_process_are_removed_by_the_next(server: Triton) -> None:
    code = FRONT_END.format(engine=targets_of(server))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as front_end:
        assert front_end.stdout
        assert front_end.stdout.readline() == "used\n"
        left = registered(server)
        assert left
        assert left <= files()
        os.kill(front_end.pid, signal.SIGKILL)
        front_end.wait()
    assert registered(server) == left, "nobody else takes them away"

    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            assert_own(await engine.infer(marked(1)), marked(1))
            assert not registered(server) & left
            assert not files() & left

    asyncio.run(scenario())


def test_a_server_that_lost_its_registrations_gets_new_ones(server: Triton) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            await engine.infer(marked(1))
            client = connect(server.address)
            await client.unregister_system_shared_memory()
            await client.close()
            answers = 0
            while answers < 3:
                with suppress(Unavailable):  # while the new ones are made
                    assert_own(await engine.infer(marked(2)), marked(2))
                    answers += 1
                await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_regions_grow_with_the_batch(server: Triton) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            for rois in (1, 5000, 3, 0):
                batch = marked(7, rois=rois)
                assert_own(await engine.infer(batch), batch)

    asyncio.run(scenario())


def test_regions_of_large_batches_go_back_when_no_more_come(server: Triton, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiseg.engines.triton.pool.IDLE_S", 0.5)

    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            await asyncio.gather(*(engine.infer(marked(7, rois=rois)) for rois in (1, 50_000)))
            assert len(registered(server)) == 2
            await until(lambda: len(registered(server)) == 1)
            await asyncio.sleep(1)
            assert len(registered(server)) == 1, "a small one stays for the next batch"
            (kept,) = registered(server)
            own = kept.rpartition("-")[0]  # other tests' services have regions on this machine, too
            assert {name for name in files() if name.startswith(own)} == {kept}
            batch = marked(7, rois=3)
            assert_own(await engine.infer(batch), batch)

    asyncio.run(scenario())


def test_a_region_of_a_cancelled_call_is_reused_only_when_the_server_cannot_write_to_it(server: Triton) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(server), NOTHING) as engine:
            await engine.infer(marked(1))
            first = registered(server)
            leaving = asyncio.create_task(engine.infer(marked(SLOW)))
            await asyncio.sleep(0.2)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            for marker in range(1, 20):
                assert_own(await engine.infer(marked(marker)), marked(marker))
            assert len(registered(server) - first) == 1, "one more, and then that one again and again"
            left.update(first)

    left: set[str] = set()
    asyncio.run(scenario())
    assert registered(server) == left, "the server may still write to it"
    assert not left & files()

    async def next_one() -> None:
        async with engine_on(targets_of(server), NOTHING):
            assert not registered(server) & left

    asyncio.run(next_one())
