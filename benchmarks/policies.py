"""Compares batching without a timer with fixed windows, for the same arrivals: ``python -m benchmarks.policies``.

Time is virtual: this compares policies, not machines, and every run gives the same figures. The engine costs what B0
costs on a GPU (4 ms per batch + 0.9 ms per person); images have 1 to 6 people and arrive at random (Poisson). Every
policy has the same limits of a batch and the same admission control.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.harness.echo import EchoEngine, Notes
from benchmarks.harness.virtual_time import VirtualLoop, run
from hiseg.batching.batcher import Batcher
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.batching.wait import WaitEstimator
from hiseg.batching.workers import Workers
from hiseg.core.errors import Overloaded
from hiseg.engines.base import Cost

GPU = Cost(4.0, 0.0, 0.9)
LIMITS = BatchLimits()
SECONDS = 60
PEOPLE = (1, 2, 3, 4, 5, 6)
CANVAS = (8, 8)
LOADS = (0.3, 0.7, 1.1)
WINDOWS_MS = (1, 5, 20)


class Policy(Protocol):
    """Runs one job to its end, or refuses it."""

    async def submit(self, job: BatchJob) -> Any:
        """Returns when the job is done."""


class FixedWindow:
    """What most servers do, at its best: a batch waits for company until a time after its first job, or until it is
    full; while the engine is busy it goes on filling.
    """

    def __init__(self, cost: Cost, window_ms: float, clock: Callable[[], float]) -> None:
        self._cost = cost
        self._window = window_ms / 1000
        self._clock = clock
        self._wait_estimator = WaitEstimator(clock, LIMITS.wait_ms)
        self._waiting: list[tuple[float, BatchJob, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()

    async def submit(self, job: BatchJob) -> None:
        job.cost_ms, job.alone_ms = self._cost.job(job.rois), self._cost.batch(1, job.rois)
        self._wait_estimator.admit(job, job.deadline)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._clock(), job, done))
        self._changed.set()
        await done

    def _first_batch(self) -> int:
        """How many of those that wait fit one batch."""
        rois = 0
        for count, (_, job, _) in enumerate(self._waiting):
            rois += job.rois
            full = count >= LIMITS.images or rois > LIMITS.rois or self._cost.batch(count + 1, rois) > LIMITS.budget_ms
            if count and full:
                return count
        return len(self._waiting)

    async def run(self) -> None:
        """For ever."""
        while True:
            while not self._waiting:
                self._changed.clear()
                await self._changed.wait()
            closes = self._waiting[0][0] + self._window
            while self._clock() < closes and self._first_batch() == len(self._waiting):
                self._changed.clear()
                try:
                    async with asyncio.timeout_at(closes):
                        await self._changed.wait()
                except TimeoutError:
                    break
            size = self._first_batch()
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            for _, job, _ in batch:
                self._wait_estimator.remove(job)
            cost = self._cost.batch(size, sum(job.rois for _, job, _ in batch))
            begun = self._wait_estimator.start_batch(cost, sum(job.cost_ms for _, job, _ in batch))
            await asyncio.sleep(cost / 1000)
            self._wait_estimator.end_batch(begun)
            for _, _, done in batch:
                done.set_result(None)


@dataclass(frozen=True)
class Figures:
    """One policy under one load."""

    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int


@asynccontextmanager
async def no_timer(loop: VirtualLoop) -> AsyncIterator[Policy]:
    engine = EchoEngine(GPU, canvases=(CANVAS,))
    async with Batcher(engine, Workers(ThreadPoolExecutor(1)), Notes(), LIMITS, clock=loop.time).running() as batcher:
        yield batcher


def fixed_window(window_ms: float) -> Callable[[VirtualLoop], Any]:
    @asynccontextmanager
    async def opened(loop: VirtualLoop) -> AsyncIterator[Policy]:
        policy = FixedWindow(GPU, window_ms, loop.time)
        task = asyncio.create_task(policy.run())
        try:
            yield policy
        finally:
            task.cancel()

    return opened


def capacity() -> float:
    """Images a second of full batches."""
    people = sum(PEOPLE) / len(PEOPLE)
    images = min(LIMITS.images, (LIMITS.budget_ms - GPU.constant) / (GPU.roi * people))
    return images / GPU.batch(1, 0) * GPU.constant / GPU.batch(int(images), int(images * people)) * 1000


def measure(open_policy: Callable[[VirtualLoop], Any], load: float, seconds: float = SECONDS) -> Figures:
    """So many seconds of arrivals at ``load`` times the capacity."""
    random = np.random.default_rng(0)
    gaps = random.exponential(1 / (load * capacity()), int(load * capacity() * seconds))
    people = random.choice(PEOPLE, len(gaps))
    rows = [np.zeros((count, 4), dtype=np.float32) for count in range(max(PEOPLE) + 1)]
    image = np.zeros((3, *CANVAS), dtype=np.uint8)
    latencies: list[float] = []
    refused = 0

    async def scenario(loop: VirtualLoop) -> None:
        async def one(policy: Policy, count: int) -> None:
            nonlocal refused
            sent = loop.time()
            try:
                await policy.submit(BatchJob(CANVAS, count, lambda: Prepared(image, rows[count])))
            except Overloaded:
                refused += 1
            else:
                if loop.time() <= seconds:
                    latencies.append((loop.time() - sent) * 1000)

        async with open_policy(loop) as policy, asyncio.TaskGroup() as tasks:
            at = 0.0
            for gap, count in zip(gaps, people, strict=True):
                at += gap
                await asyncio.sleep(at - loop.time())
                tasks.create_task(one(policy, int(count)))

    run(scenario)
    p50, p99 = np.percentile(latencies, (50, 99))
    return Figures(len(latencies) / seconds, float(p50), float(p99), refused)


def main() -> None:
    """The table, and where a window is better."""
    policies = {"no timer": no_timer} | {f"window of {window} ms": fixed_window(window) for window in WINDOWS_MS}
    print(f"capacity {capacity():.0f} images/s; {SECONDS} s each")
    print(f"{'load':>6}  {'policy':<16}{'per s':>8}{'p50 ms':>9}{'p99 ms':>9}{'refused':>9}")
    for load in LOADS:
        for name, policy in policies.items():
            found = measure(policy, load)
            print(
                f"{load:>6.0%}  {name:<16}{found.per_s:>8.1f}{found.p50_ms:>9.1f}{found.p99_ms:>9.1f}{found.refused:>9}"
            )


if __name__ == "__main__":
    main()
