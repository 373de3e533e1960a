"""Batches on real servers that crash, stop, hang, slow down and come back. Every caller must get its own rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.harness.triton.engine import engine_on, until
from benchmarks.harness.triton.fragile.marks import CANCELLED, DEADLY, REFUSED, SLOW
from benchmarks.harness.triton.models import fragile_repository, targets_of
from benchmarks.harness.triton.proxy import Proxy
from benchmarks.harness.triton.server import Triton, triton
from hiseg.core.errors import DeadlineExceeded, Reason, Unavailable
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.triton import breaker, regions
from hiseg.engines.triton import engine as engine_module
from hiseg.engines.triton.engine import ModelFailed, TritonEngine
from hiseg.observability.reports import EndpointState
from tests.service.engines.triton.harness import NOTHING, assert_own, marked

CALLERS = 6


@pytest.fixture(autouse=True)
def cool_downs_of_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a server seems slow more often, and cool-downs would grow longer than any test waits."""
    monkeypatch.setattr(breaker, "MAX_COOL_DOWN_S", breaker.COOL_DOWN_S)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Triton, Triton]]:
    """Two servers with the fragile model, two instances each."""
    repository = fragile_repository(tmp_path_factory.mktemp("fragile"), instances=2)
    with triton(repository) as first, triton(repository) as second:
        yield first, second


@pytest.fixture
def two(pair: tuple[Triton, Triton]) -> Iterator[tuple[Triton, Triton]]:
    """The same, both well before and after."""
    yield pair
    for server in pair:
        server.kill()
        server.start()


@pytest.fixture
def two_with_one_instance(tmp_path: Path) -> Iterator[tuple[Triton, Triton]]:
    """Two servers that run one batch at a time."""
    repository = fragile_repository(tmp_path)
    with triton(repository) as first, triton(repository) as second:
        yield first, second


class Load:
    """Callers that ask one after the other, each for rows of its own."""

    def __init__(self, engine: TritonEngine) -> None:
        self.engine = engine
        self.answered = 0
        self.failed: list[Exception] = []
        self.over = False

    async def __aenter__(self) -> Load:
        self.tasks = [asyncio.create_task(self._ask(number)) for number in range(CALLERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over = True
        await asyncio.gather(*self.tasks)

    async def _ask(self, number: int) -> None:
        while not self.over:
            batch = marked(number + 1, rois=number)
            try:
                assert_own(await self.engine.infer(batch), batch)
                self.answered += 1
            except Unavailable as error:
                self.failed.append(error)
                await asyncio.sleep(0.01)

    async def more(self, count: int = 40) -> None:
        """Wait until so many more are answered."""
        goal = self.answered + count
        await until(lambda: self.answered >= goal)


def test_both_servers_are_used_and_each_caller_gets_its_own_rows(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(*pair), NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            async with Load(engine) as load:
                await load.more(200)
            assert not load.failed
            assert min(report.batches for report in engine.reports()) > 25, "of 200, or a few more"
            assert not any(report.in_flight or report.outstanding_ms for report in engine.reports())

    asyncio.run(scenario())


def test_kill_one_under_load_and_it_comes_back(two: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(*two), NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            async with Load(engine) as load:
                await load.more()
                await asyncio.to_thread(two[0].kill)
                await load.more()
                assert engine.slots == 2
                await asyncio.to_thread(two[0].start)
                await until(lambda: engine.slots == 4)
                back = engine.endpoints[two[0].address]
                before = back.batches
                await until(lambda: back.batches > before)
            assert not load.failed, "the other had a free hand for all of them"

    asyncio.run(scenario())


def test_sigterm_of_one_fails_nobody(two: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(*two), NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            async with Load(engine) as load:
                await load.more()
                two[0].terminate()
                await until(lambda: engine.slots == 2)
                await load.more()
                await asyncio.to_thread(two[0].process.wait, 40)
                await load.more()
            assert not load.failed

    asyncio.run(scenario())


def test_with_all_servers_down_nobody_waits_and_the_first_that_is_back_is_used(two: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(*two), NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            slots: list[int] = []
            engine.subscribe(lambda: slots.append(engine.slots))
            async with Load(engine) as load:
                await load.more()
                for server in two:
                    await asyncio.to_thread(server.kill)
                await until(lambda: engine.slots == 0)
                with pytest.raises(Unavailable, match="no Triton answers"):
                    await engine.infer(marked(1))
                await asyncio.to_thread(two[1].start)
                await load.more()
            assert slots[-2:] == [0, 2]

    asyncio.run(scenario())


def test_a_server_that_hangs_is_left_and_its_batches_run_elsewhere(pair: tuple[Triton, Triton]) -> None:
    """Not by stopping the server's process: Triton itself may abort when it goes on."""

    async def scenario() -> None:
        async with Proxy(pair[0].grpc) as proxy, engine_on(f"{targets_of(pair[1])},{proxy.address}", NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            async with Load(engine) as load:
                await load.more()
                proxy.flowing.clear()
                hanging = engine.endpoints[proxy.address]
                await until(lambda: hanging.state is EndpointState.CIRCUIT_OPEN)
                await load.more()
                proxy.flowing.set()
                await until(lambda: hanging.state is EndpointState.UP)
                await load.more()
            assert not load.failed
            assert hanging.retries

    asyncio.run(scenario())


def test_a_slow_server_is_left_to_itself_and_used_when_it_is_quick_again(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with Proxy(pair[0].grpc) as proxy, engine_on(f"{targets_of(pair[1])},{proxy.address}", NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            async with Load(engine) as load:
                await load.more()
                proxy.latency_s = 2.0
                slow = engine.endpoints[proxy.address]
                await until(lambda: slow.state is EndpointState.CIRCUIT_OPEN)
                await load.more()
                proxy.latency_s = 0.0
                await until(lambda: slow.state is EndpointState.UP)
            assert not load.failed

    asyncio.run(scenario())


def test_a_batch_that_ends_two_servers_is_run_nowhere_else(two_with_one_instance: tuple[Triton, Triton]) -> None:
    """The servers stay ready all the while: only the canary's batch shows that their model is dead."""

    async def scenario() -> None:
        async with engine_on(targets_of(*two_with_one_instance), NOTHING) as engine:
            await until(lambda: engine.slots == 2)
            with pytest.raises(Unavailable) as refused:
                await engine.infer(marked(DEADLY))
            assert refused.value.reason is Reason.ENGINE_FAILED
            assert sum(report.failures for report in engine.reports()) == 2
            await until(lambda: engine.slots == 0)
            await asyncio.sleep(1.5)
            assert {report.state for report in engine.reports()} <= {EndpointState.CIRCUIT_OPEN, EndpointState.TESTING}

    asyncio.run(scenario())
    for server in two_with_one_instance:
        assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200


def test_a_batch_that_crashes_the_model_fails_alone(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(pair[0]), NOTHING) as engine:
            for _ in range(2):
                with pytest.raises(ModelFailed, match="can't stand this picture"):
                    await engine.infer(marked(REFUSED))
                assert_own(await engine.infer(marked(3)), marked(3))

    asyncio.run(scenario())


def test_deadlines_and_callers_that_leave_reach_the_server(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(pair[0]), NOTHING) as engine:
            with pytest.raises(DeadlineExceeded):
                await engine.infer(marked(SLOW, meta=BatchMeta(deadline=time.monotonic() + 0.3)))
            with pytest.raises(DeadlineExceeded):
                await engine.infer(marked(1, meta=BatchMeta(deadline=time.monotonic() - 1)))
            await until(lambda: pair[0].log.count(CANCELLED) == before + 1)
            leaving = asyncio.create_task(engine.infer(marked(SLOW)))
            await asyncio.sleep(0.2)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            await until(lambda: pair[0].log.count(CANCELLED) == before + 2)
            for marker in range(1, 20):
                assert_own(await engine.infer(marked(marker)), marked(marker))

    before = pair[0].log.count(CANCELLED)
    asyncio.run(scenario())


def test_only_what_is_wanted_comes_back(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(pair[0]), NOTHING) as engine:
            masks = await engine.infer(marked(5, meta=BatchMeta(Outputs.MASKS)))
            assert (masks.logit_margins.shape, masks.foreground.shape) == ((2, 8, 6), (1, 0, 0))
            nobody = await engine.infer(marked(5, rois=0, meta=BatchMeta(Outputs.FOREGROUND)))
            assert (nobody.logit_margins.shape, nobody.foreground.shape) == ((0, 8, 6), (1, 48, 64))
            with pytest.raises(ValueError, match="belongs to no image"):
                await engine.infer(Batch(marked(1).images, np.array([[1, 0, 0, 1, 1]], dtype=np.float32)))

    asyncio.run(scenario())


def test_where_the_server_refuses_shared_memory_tensors_go_over_the_connection(
    pair: tuple[Triton, Triton], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regions in a folder that only we see, as with a server on another machine."""
    monkeypatch.setattr(regions, "SHARED_MEMORY", tmp_path_factory.mktemp("shm"))

    async def scenario() -> None:
        async with engine_on(targets_of(*pair), NOTHING) as engine:
            async with Load(engine) as load:
                await load.more(100)
            assert not load.failed
        assert not list(regions.SHARED_MEMORY.iterdir())

    asyncio.run(scenario())


def test_the_server_with_the_least_before_it_gets_the_next_batch(pair: tuple[Triton, Triton]) -> None:
    async def scenario() -> None:
        async with engine_on(targets_of(*pair), NOTHING) as engine:
            await until(lambda: engine.slots == 4)
            large = asyncio.create_task(engine.infer(marked(SLOW, meta=BatchMeta(cost_ms=1000.0))))
            await asyncio.sleep(0.05)
            (busy,) = [report.address for report in engine.reports() if report.in_flight]
            for marker in range(1, 11):
                await engine.infer(marked(marker, meta=BatchMeta(cost_ms=1.0)))
            assert not large.done()
            batches = {report.address: report.batches for report in engine.reports()}
            assert batches == {address: 0 if address == busy else 10 for address in batches}
            await large

    asyncio.run(scenario())


def test_the_engine_follows_changes_of_a_names_addresses(
    pair: tuple[Triton, Triton], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up stands for a name server whose answers change."""
    leads_to = {pair[0].address}

    async def look_up(_: object) -> set[str]:
        return set(leads_to)

    monkeypatch.setattr(engine_module, "resolve", look_up)
    monkeypatch.setattr(engine_module, "RESOLVE_S", 0.05)

    async def scenario() -> None:
        async with engine_on(targets_of(pair[0]), NOTHING) as engine, Load(engine) as load:
            await load.more()
            leads_to.add(pair[1].address)
            await until(lambda: engine.slots == 4)
            await load.more()
            old = engine.endpoints[pair[0].address]
            leads_to.discard(pair[0].address)
            await until(lambda: engine.slots == 2)
            assert list(engine.endpoints) == [pair[1].address]
            await load.more()
            await until(lambda: not old.in_flight)
            leads_to.clear()  # a name that can't be looked up for a moment
            await asyncio.sleep(0.2)
            await load.more()
            assert not load.failed

    asyncio.run(scenario())
