"""The engine's side of a batcher: batches are assembled, wait until it takes them, run, and their jobs are answered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

from hiseg.batching.assembly import assemble, scatter
from hiseg.batching.cost import CostModel
from hiseg.batching.job import BatchJob, Watcher
from hiseg.batching.wait import WaitEstimator, is_long
from hiseg.core.errors import HisegError
from hiseg.engines.base import Batch, BatchMeta, Engine, Prediction
from hiseg.observability.reports import BatchReport
from hiseg.observability.tracing import Tracing


class Dispatcher:
    """Assembles batches, runs them on the engine and lets the cost model learn from them.

    Args:
        engine: runs the batches.
        cost_model: predicts what a batch costs, and learns from what it really took.
        wait_estimator: keeps account of the batches that run.
        watcher: receives events, for metrics; None: nobody does.
        clock: seconds, monotonic.
        tracing: receives the spans of batches.
    """

    def __init__(
        self,
        engine: Engine,
        cost_model: CostModel,
        wait_estimator: WaitEstimator,
        watcher: Watcher | None,
        clock: Callable[[], float],
        tracing: Tracing,
    ) -> None:
        self._engine = engine
        self._cost_model = cost_model
        self._wait_estimator = wait_estimator
        self._watcher = watcher
        self._clock = clock
        self._tracing = tracing
        self._unlearnt: deque[BatchReport] = deque()

    async def assemble(self, jobs: Sequence[BatchJob]) -> Batch:
        """Make a batch of prepared jobs; images are copied in a thread, unless there is just one."""
        deadlines = [job.deadline for job in jobs if job.deadline is not None]
        meta = BatchMeta(
            requested=reduce(or_, (job.requested for job in jobs)),
            deadline=max(deadlines) if len(deadlines) == len(jobs) else None,
            cost_ms=self._cost_model.now.batch(len(jobs), sum(job.rois for job in jobs)),
            traceparent=next((job.traceparent for job in jobs if job.traceparent), ""),
        )
        arguments = [job.prepared for job in jobs], self._engine.roi_counts, meta
        return assemble(*arguments) if len(jobs) == 1 else await asyncio.to_thread(assemble, *arguments)

    async def run(self, jobs: Sequence[BatchJob], batch: Batch) -> None:
        """Run a batch and answer its jobs, each with its own rows or an error; traced as a span, if tracing is on.

        Args:
            jobs: what ``batch`` was assembled of, in its order.
            batch: goes to the engine.
        """
        if not self._tracing.is_on:
            await self._run(jobs, batch)
            return
        traceparents = [job.traceparent for job in jobs]
        span = self._tracing.start_batch(self._engine.info.ref.name, traceparents, sum(job.rois for job in jobs))
        outcome = "cancelled"
        try:
            failure = await self._run(jobs, replace(batch, meta=replace(batch.meta, traceparent=span.traceparent)))
            outcome = failure.reason if isinstance(failure, HisegError) else type(failure).__name__ if failure else "ok"
        finally:
            span.end(outcome)

    async def _run(self, jobs: Sequence[BatchJob], batch: Batch) -> Exception | None:
        """Run a batch and answer its jobs; returns the first failure.

        A batch that fails for no known reason is run again job by job, so that one which the engine can't run takes no
        other with it.
        """
        members = [job.prepared for job in jobs]
        rois = sum(len(member.rois) for member in members)
        predicted_ms = self._cost_model.now.batch(len(members), rois)
        run = self._wait_estimator.start_batch(predicted_ms, sum(job.cost_ms for job in jobs), is_long(jobs))
        began = self._clock()
        prediction: Prediction | None = None
        failure: Exception | None = None
        try:
            prediction = await self._engine.infer(batch)
        except Exception as error:
            failure = error
        finally:
            self._wait_estimator.end_batch(run, succeeded=prediction is not None)
        if prediction is not None:
            infer_ms = (self._clock() - began) * 1000
            self._unlearnt.append(BatchReport(len(members), rois, predicted_ms, run.used_ms))
            for job, part in zip(jobs, scatter(prediction, members), strict=True):
                job.succeed(part, began, infer_ms)
            return None
        if self._watcher:
            self._watcher.on_failure()
        if failure is not None and (len(jobs) == 1 or isinstance(failure, HisegError)):
            for job in jobs:
                job.fail(failure)
            return failure
        counts = self._engine.roi_counts
        failures = [await self._run([job], assemble([job.prepared], counts, batch.meta)) for job in jobs]
        return next(filter(None, failures), None)

    def learn(self) -> None:
        """Let the cost model learn from the batches that have come back since the last call, and report them."""
        while self._unlearnt:
            report = self._unlearnt.popleft()
            self._cost_model.observe(report.images, report.rois, report.real_ms)
            if self._watcher:
                self._watcher.on_batch(report)


class InFlightLimit:
    """A semaphore for the batches that the engine takes at once; their number may change while batches run and wait.

    Args:
        count: returns the engine's present :attr:`hiseg.engines.base.Engine.max_in_flight`.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._in_flight = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """Wait until the engine can take another batch, and count one as in flight until the end of the block.

        While the engine takes no batches at all nobody waits: its jobs have been refused, so there is nothing to run.
        """
        while 0 < self._count() <= self._in_flight:
            self._changed.clear()
            await self._changed.wait()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._changed.set()

    def limit_changed(self) -> None:
        """Let those that wait see that the limit has changed."""
        self._changed.set()


async def cancel_when_abandoned(answers: Sequence[asyncio.Future[Any]], run: Coroutine[Any, Any, None]) -> None:
    """Await ``run``, and cancel it once all ``answers`` are done because their callers have left."""
    abandoned = asyncio.timeout(None)
    left, has_ended = 0, False

    def count_left(_: asyncio.Future[Any]) -> None:
        nonlocal left
        left += 1
        if left == len(answers) and not has_ended:
            abandoned.reschedule(0)

    try:
        async with abandoned:
            for answer in answers:
                answer.add_done_callback(count_left)
            try:
                await run
            finally:
                has_ended = True  # a callback may be on its way
                for answer in answers:
                    answer.remove_done_callback(count_left)
    except TimeoutError:
        if not abandoned.expired():
            raise
