"""Feeds an engine with batches of jobs, and gives each caller exactly its own rows of what comes back.

The way of a job: :meth:`Batcher.submit` admits it if it can be answered in time, and queues it; by the rule in
:mod:`hiseg.batching.next_batch` it joins the next batch, and a worker thread prepares it; the batch is assembled, run
and answered by :mod:`hiseg.batching.dispatch`. After every change on the way :meth:`Batcher._advance` checks whether a
batch can leave.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from hiseg.batching.cost import CostModel
from hiseg.batching.dispatch import Dispatcher, InFlightLimit, cancel_when_abandoned
from hiseg.batching.job import SHARES, BatchJob, BatchLimits, Prepared, Watcher
from hiseg.batching.latest import LatestJobs, Superseded
from hiseg.batching.next_batch import NextBatch
from hiseg.batching.wait import WaitEstimator, is_long
from hiseg.batching.workers import Workers
from hiseg.core.errors import DeadlineExceeded, Overloaded, Reason, TooLarge, Unavailable
from hiseg.core.job import Priority
from hiseg.engines.base import Engine
from hiseg.observability.reports import DropReason
from hiseg.observability.tracing import OFF, Tracing

LEARNING_DELAY_S = 0.005
"""Seconds after a batch has come back before it is reported and learnt from: first the answers go out."""
TIMER_SLACK_S = 0.01
"""A caller that leaves so few seconds before the deadline has run out of time: timers may fire early, and the caller's
clock may have started earlier."""
NO_ENGINE = "no engine answers"


class Batcher:
    """Feeds one engine; works inside ``async with batcher.running()``.

    Args:
        engine: runs the batches.
        workers: threads that prepare jobs.
        watcher: receives events, for metrics; None: nobody does.
        limits: how large a batch may be, and how long a job may wait.
        clock: seconds, monotonic; the jobs' deadlines are on it.
        tracing: receives the spans of batches.
    """

    def __init__(
        self,
        engine: Engine,
        workers: Workers,
        watcher: Watcher | None = None,
        limits: BatchLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        tracing: Tracing = OFF,
    ) -> None:
        self.engine = engine
        self.limits = limits or BatchLimits()
        self.clock = clock
        self.cost_model = CostModel(engine.info.cost_prior)
        self.wait_estimator = WaitEstimator(clock, self.limits.wait_ms, engine.slots, _can_share(engine))
        self._dispatcher = Dispatcher(engine, self.cost_model, self.wait_estimator, watcher, clock, tracing)
        self._workers = workers
        self._watcher = watcher
        self._next_batch = NextBatch(
            engine, self.limits, self.cost_model, self.wait_estimator, clock, self._start_preparing, self._drop_late
        )
        # Jobs that take long to prepare: they are queued when they are prepared, so that no batch waits for them.
        self._aside: dict[BatchJob, None] = {}
        self._latest = LatestJobs(self._next_batch, self._aside, self._enqueue, self._start_preparing, self._supersede)
        # Admitted jobs that are not in the engine yet, oldest first.
        self._waiting: dict[BatchJob, None] = {}
        self._in_flight_limit = InFlightLimit(lambda: engine.max_in_flight)
        self._in_flight = self._long_in_flight = 0
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        engine.subscribe(self._on_engine_change)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Batcher]:
        """Accept jobs until the block ends; then finish the batches that are on their way and refuse all other jobs.

        All tasks of the batcher belong to this block.
        """
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield self
            except Exception as error:
                failure = error  # kept: the group would wrap it
            finally:
                self._tasks = None
                for job in [*self._next_batch.queue, *self._next_batch.jobs, *self._latest.replacements, *self._aside]:
                    self._refuse(job, _shutting_down())
        if failure:
            raise failure

    @property
    def waiting(self) -> int:
        """Number of admitted jobs that are not in the engine yet."""
        return len(self._waiting)

    def oldest_wait_s(self) -> float:
        """Return the seconds that the oldest waiting job has waited; 0 if no job waits."""
        oldest = next(iter(self._waiting), None)
        return self.clock() - oldest.arrived if oldest else 0.0

    async def wait_until_idle(self) -> None:
        """Wait until no job waits and none is in the engine."""
        while self._waiting or self._in_flight:
            self._changed.clear()
            await self._changed.wait()

    def check_capacity(self, client: str, deadline: float | None) -> None:
        """Refuse a client's job before it is known, if even the smallest would be refused.

        Raises:
            Overloaded: it would wait too long.
            DeadlineExceeded: there is no time left for it.
        """
        share, cost = SHARES[Priority.INTERACTIVE], self.cost_model.now
        self.wait_estimator.check(client, share, cost.job(0), cost.batch(1, 0), deadline)

    async def submit(self, job: BatchJob) -> BatchJob:
        """Run a job and return it with its prediction; if its caller is cancelled while it waits, it is never run.

        Raises:
            TooLarge: it has more boxes than any batch may hold.
            Overloaded: it would wait too long.
            DeadlineExceeded: there is no time left for it.
            Unavailable: the batcher doesn't run, or the engine can't.
            Superseded: a newer job of the client has taken its place.
            Exception: whatever ``job.prepare`` raised.
        """
        if self._tasks is None:
            raise Unavailable("the batcher is not running")
        if not self.engine.slots:
            raise Unavailable(NO_ENGINE)
        if job.rois > self.limits.rois:
            raise TooLarge(
                f"{job.rois} boxes were sent; a batch holds {self.limits.rois}",
                reason=Reason.TOO_MANY_BOXES,
                field="boxes",
                limit=self.limits.rois,
                value=job.rois,
            )
        job.share = SHARES[job.priority]
        job.cost_ms, job.alone_ms = self.cost_model.now.job(job.rois), self.cost_model.now.batch(1, job.rois)
        self.wait_estimator.check(job.client, job.share, job.cost_ms, job.alone_ms, job.deadline)
        if self._workers.is_long(job.prepare_bytes):
            # It is counted when it is prepared: until then it delays nobody else, whose wait is predicted.
            self._check_preparing(job)
        else:
            self._count(job)
        job.arrived, job.answer = self.clock(), asyncio.get_running_loop().create_future()
        self._waiting[job] = None
        if job.latest:
            self._latest.add(job)
        else:
            self._enqueue(job)
        self._advance()
        try:
            await job.answer
        finally:
            if job in self._waiting:  # cancelled, before it came to the engine
                self._withdraw(job)
                is_late = job.deadline is not None and self.clock() >= job.deadline - TIMER_SLACK_S
                self._report_drop("deadline" if is_late else "gone")
                self._advance()
        return job

    def _advance(self) -> None:
        """Form batches and let them leave until there is nothing to do; called after every change."""
        self._changed.set()
        while self._tasks is not None:
            self._next_batch.fill(self._long_in_flight)
            jobs = self._next_batch.take_departing(self._in_flight)
            if not jobs:
                break
            self._in_flight += 1
            self._long_in_flight += is_long(jobs)
            self._tasks.create_task(self._launch(jobs))

    def _on_engine_change(self) -> None:
        """Adapt to another number of engine slots; without any, all jobs are refused, since none may ever come back."""
        self.wait_estimator.resize(self.engine.slots, _can_share(self.engine))
        self._in_flight_limit.limit_changed()
        if not self.engine.slots:
            for job in list(self._waiting):
                self._refuse(job, Unavailable(NO_ENGINE))
        self._advance()

    def _check_preparing(self, job: BatchJob) -> None:
        """Refuse a job that would wait too long for a thread that prepares it."""
        wait_ms = self._workers.wait_s(job.client, job.prepare_bytes) * 1000
        if wait_ms > self.limits.wait_ms:
            raise Overloaded(
                f"its image would wait about {wait_ms:.0f} ms to be decoded; at most {self.limits.wait_ms:g} ms are"
                " allowed",
                reason=Reason.WAIT_TOO_LONG,
                retry_after=math.ceil((wait_ms - self.limits.wait_ms) / 1000),
                limit=round(self.limits.wait_ms),
                value=round(wait_ms),
            )

    def _count(self, job: BatchJob) -> None:
        if not job.is_counted:
            job.is_counted = True
            self.wait_estimator.add(job)

    def _enqueue(self, job: BatchJob) -> None:
        """Let a job wait for its turn, or first for being prepared if that takes long."""
        if self._workers.is_long(job.prepare_bytes) and not job.is_prepared:
            self._aside[job] = None
            self._start_preparing(job)
        else:
            self._next_batch.queue.put(job)

    def _start_preparing(self, job: BatchJob) -> None:
        if job.preparing is None and self._tasks is not None:
            job.preparing = self._tasks.create_task(self._prepare(job))

    async def _prepare(self, job: BatchJob) -> None:
        try:
            job.decode_began = self.clock()
            if job.decode_inline:
                job.prepared, job.decode_ms = self._timed(job.prepare)
            else:
                prepare = partial(self._timed, job.prepare)
                job.prepared, job.decode_ms = await self._workers.run(
                    prepare, job.client, job.prepare_bytes, job.stop, job.reservation
                )
            job.is_prepared = True
            if job in self._waiting:
                self._count(job)
            if job in self._aside:
                del self._aside[job]
                self._enqueue(job)
            elif job.latest:
                self._latest.on_prepared(job)
        except Exception as error:
            self._refuse(job, error)
        self._advance()

    def _timed(self, prepare: Callable[[], Prepared]) -> tuple[Prepared, float]:
        """Call ``prepare``, and return what it returns and the milliseconds that it took."""
        started = self.clock()
        prepared = prepare()
        return prepared, (self.clock() - started) * 1000

    async def _launch(self, jobs: Sequence[BatchJob]) -> None:
        """Assemble a batch and run it as soon as the engine takes it, without the jobs that nobody needs by then."""
        long = is_long(jobs)
        try:
            batch = await self._dispatcher.assemble(jobs)
            async with self._in_flight_limit.acquire():
                while len(remaining := self._next_batch.drop_unneeded(jobs)) < len(jobs):
                    jobs = remaining
                    batch = await self._dispatcher.assemble(jobs) if jobs else batch
                for job in jobs:
                    self._withdraw(job)
                if jobs:
                    await cancel_when_abandoned([job.answer for job in jobs], self._dispatcher.run(jobs, batch))
        except Exception as error:  # ours, such as too little memory for the batch: it must not end the batcher
            for job in jobs:
                self._refuse(job, error)
        except BaseException:
            for job in jobs:
                self._refuse(job, _shutting_down())
            raise
        finally:
            self._in_flight -= 1
            self._long_in_flight -= long
        self._advance()
        await asyncio.sleep(LEARNING_DELAY_S)
        self._dispatcher.learn()

    def _drop_late(self, job: BatchJob) -> None:
        self._refuse(job, DeadlineExceeded("its turn came too late", field="deadline_ms"))
        self._report_drop("deadline")

    def _supersede(self, job: BatchJob) -> None:
        self._refuse(job, Superseded())
        self._report_drop("superseded")

    def _report_drop(self, reason: DropReason) -> None:
        if self._watcher:
            self._watcher.on_drop(reason)

    def _refuse(self, job: BatchJob, error: Exception) -> None:
        if job in self._waiting:
            self._withdraw(job)
        job.fail(error)

    def _withdraw(self, job: BatchJob) -> None:
        """Remove a job from wherever it waits, because it goes to the engine, is refused, or its caller has left."""
        del self._waiting[job]
        if job.is_counted:
            self.wait_estimator.remove(job)
        self._aside.pop(job, None)
        if job.latest:
            self._latest.forget(job)
        if job in self._next_batch.queue:
            self._next_batch.queue.remove(job)
        elif job in self._next_batch.jobs:
            self._next_batch.jobs.remove(job)
        if job.preparing and job.preparing is not asyncio.current_task():
            job.preparing.cancel()


def _can_share(engine: Engine) -> bool:
    """Whether a batch may run beside others though all slots are taken."""
    return engine.max_in_flight > engine.slots


def _shutting_down() -> Unavailable:
    return Unavailable("the service is shutting down", reason=Reason.SHUTTING_DOWN)
