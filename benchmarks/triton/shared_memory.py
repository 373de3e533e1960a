"""Compares shared memory with plain gRPC to one real Triton, in turns: ``python -m benchmarks.triton.shared_memory``.

Then it runs ten thousand batches through the engine and checks that no region is left behind.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.harness.triton.server import Triton, triton
from benchmarks.triton.repository import B0, lay_out
from hiseg.engines.base import Batch, Cost, Engine, Outputs
from hiseg.engines.triton.address import Target
from hiseg.engines.triton.connection import ServedVersion, connect, describe_version
from hiseg.engines.triton.engine import TritonEngine
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.regions import PREFIX, SHARED_MEMORY
from hiseg.engines.triton.replica import Replica
from hiseg.models.random_inputs import random_batch

IDLE = Cost(0.0, 0.0, 0.0)
ROUNDS, CALLS = 7, 60
CALLERS = 4
PEOPLE = 2
"""On each image."""
REQUESTS = 10_000


def batch(images: int, canvas: tuple[int, int] = (640, 640)) -> Batch:
    """Noise, with two people on each image."""
    return random_batch(canvas, images, images * PEOPLE, Outputs.MASKS)


@asynccontextmanager
async def replicas(address: str) -> AsyncIterator[dict[str, Replica]]:
    """The same model on the same server, with shared memory and without."""
    client = connect(address)
    described: ServedVersion = await describe_version(client, address, B0, 1)
    shared, plain = Pool(client, address, 8), Pool(client, address, 8)
    await shared.open()
    plain.is_refused = True
    assert not shared.is_refused, "this server doesn't share our memory"
    try:
        yield {"shared memory": Replica(client, described, shared), "plain gRPC": Replica(client, described, plain)}
    finally:
        await shared.clean_up(everything=True)
        await client.close()


async def one_by_one(replica: Replica, work: Batch) -> list[float]:
    """Milliseconds of each call, one after the other."""
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        await replica.infer(work)
        times.append((time.perf_counter() - started) * 1000)
    return times


async def at_once(replica: Replica, work: Batch) -> float:
    """Images a second, with a few callers at once."""

    async def call() -> None:
        for _ in range(CALLS // CALLERS):
            await replica.infer(work)

    started = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return len(work.images) * CALLERS * (CALLS // CALLERS) / (time.perf_counter() - started)


async def compare(server: Triton) -> None:
    """Both ways take turns."""
    async with replicas(server.address) as ways:
        for images in (1, 4):
            work = batch(images)
            times: dict[str, list[float]] = {name: [] for name in ways}
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, replica in ways.items():
                    times[name] += await one_by_one(replica, work)
                    rates[name].append(await at_once(replica, work))
            p50 = {name: statistics.median(values) for name, values in times.items()}
            rate = {name: statistics.median(values) for name, values in rates.items()}
            print(
                f"{images} x 640 x 640 UINT8: "
                + "; ".join(f"{name} p50 {p50[name]:.2f} ms, {rate[name]:.0f} images/s" for name in ways)
            )
            shared, plain = ways
            print(f"  ratios: p50 {p50[shared] / p50[plain]:.2f}, throughput {rate[shared] / rate[plain]:.2f}")


async def ten_thousand(server: Triton) -> None:
    """Through the engine; regions are counted on the way, and afterwards."""
    client = connect(server.address)
    info = (await describe_version(client, server.address, B0, 1)).info
    work, most = batch(1, (384, 640)), 0

    async def no_test(engine: Engine) -> None:
        pass

    started = time.perf_counter()
    async with TritonEngine(info, (Target("127.0.0.1", server.grpc),), no_test).running() as engine:
        await engine.wait_until_usable()

        async def call() -> None:
            nonlocal most
            for _ in range(REQUESTS // CALLERS):
                await engine.infer(work)
                most = max(most, len(list(SHARED_MEMORY.glob(f"{PREFIX}*"))))

        await asyncio.gather(*(call() for _ in range(CALLERS)))
    took = time.perf_counter() - started
    files = [path.name for path in SHARED_MEMORY.glob(f"{PREFIX}*")]
    registered = list((await client.get_system_shared_memory_status()).regions)
    await client.close()
    print(
        f"{REQUESTS} batches in {took:.0f} s: at most {most} regions at a time; left behind: "
        f"{len(files)} files, {len(registered)} registrations"
    )


def main() -> None:
    """Before a model that takes no time: what is left is the way there and back."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder) / "models", IDLE)
        with triton(Path(folder) / "models") as server:
            asyncio.run(compare(server))
            asyncio.run(ten_thousand(server))


if __name__ == "__main__":
    main()
