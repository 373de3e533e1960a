"""Jobs -> batches -> the engine -> each caller its own rows. No timer: load itself makes the batches.

While the engine works, the next batch forms from whatever waits, in fair order and within a budget of predicted cost;
its images are decoded meanwhile. It leaves as soon as the engine has a free slot, with those that are decoded by then.
Only a batch that is full leaves early, to share a slot where the engine has room for that, or to stand assembled before
it: a prefetch of one.

Of a live camera the newest frame should go. It joins the batch like any other job; a newer one is decoded beside it,
and takes its place when it is ready. So there is always one that can leave, and none waits for another to be decoded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import reduce
from operator import or_

from hiseg.batching.admission import State
from hiseg.batching.assembly import assemble
from hiseg.batching.backlog import QueuedCost, WaitEstimator
from hiseg.batching.cost import CostModel
from hiseg.batching.dispatch import Dispatcher, Ran
from hiseg.batching.fair_queue import FairQueue
from hiseg.batching.item import Item, inputs
from hiseg.batching.limits import BatchLimits
from hiseg.batching.slots import EngineSlots
from hiseg.batching.wanted import while_wanted
from hiseg.batching.work import P, Served, Superseded, Watcher, Work
from hiseg.core.canvas import Size
from hiseg.core.errors import DeadlineExceeded, TooLarge, Unavailable
from hiseg.engines.base import Batch, BatchMeta, Engine
from hiseg.observability.tracing import OFF, Tracing

MOMENT_S = 0.005
"""A batch is counted and learnt from so long after it came back: first the answers go out."""
SLACK_S = 0.01
"""Timers may fire so much early: a caller that leaves then has run out of time."""
NO_ENGINE = "no engine answers"


class Batcher:
    """Feeds one engine; works inside ``async with batcher.running()``.

    Args:
        engine: what runs the batches.
        workers: threads that prepare jobs.
        watcher: who is told what happens.
        limits: how large a batch may be, and how long a job may wait.
        clock: seconds, monotonic; deadlines are on it.
        tracing: who is told of the batches.
    """

    def __init__(
        self,
        engine: Engine,
        workers: Executor,
        watcher: Watcher,
        limits: BatchLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        tracing: Tracing = OFF,
    ) -> None:
        self.engine = engine
        self.limits = limits or BatchLimits()
        self.cost = CostModel(engine.info.cost_prior)
        self.wait_estimator = WaitEstimator(clock, self.limits.wait_ms, engine.slots)
        self._dispatcher = Dispatcher(engine, self.cost, self.wait_estimator, watcher, clock)
        self._workers = workers
        self._watcher = watcher
        self._tracing = tracing
        self.clock = clock
        self._queue: FairQueue[Item] = FairQueue()
        self._forming: list[Item] = []
        # Being prepared to take the place of another; and of each client that has any the newest that may be replaced.
        self._renewing: dict[Item, Item] = {}
        self._newest: dict[str, Item] = {}
        # Let in and neither in the engine yet nor gone, oldest first.
        self._waiting: dict[Item, None] = {}
        self._left_behind = False
        self._slots = EngineSlots(lambda: engine.max_in_flight)
        self._launched = 0
        self._moved = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        engine.subscribe(self._engine_changed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Batcher]:
        """Owns every task of the batcher; at the end batches that were launched are finished, the rest is refused."""
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield self
            except Exception as error:
                failure = error  # kept: the group would wrap it
            finally:
                self._tasks = None
                for item in [*self._queue, *self._forming, *self._renewing]:
                    self._refuse(item, Unavailable("the service is shutting down", reason=State.DRAINING))
        if failure:
            raise failure

    @property
    def waiting(self) -> int:
        """Jobs that were let in and are not in the engine yet."""
        return len(self._waiting)

    def oldest_wait_s(self) -> float:
        """Seconds that the oldest of them has waited; 0 if there is none."""
        oldest = next(iter(self._waiting), None)
        return self.clock() - oldest.arrived if oldest else 0.0

    async def wait_until_idle(self) -> None:
        """Wait until no job is inside, neither waiting nor in the engine."""
        while self._waiting or self._launched:
            self._moved.clear()
            await self._moved.wait()

    def check_capacity(self, client: str, deadline: float | None) -> None:
        """Say no before a client's job is known, if even the smallest would be refused.

        Raises:
            Overloaded: it would wait too long.
            DeadlineExceeded: there is no time left for it.
        """
        self.wait_estimator.check(QueuedCost(client, 1.0, self.cost.now.job(0), self.cost.now.batch(1, 0)), deadline)

    async def submit(self, work: Work[P]) -> Served[P]:
        """Run one job; a caller cancelled while it waits never reaches the engine.

        Raises:
            TooLarge: more boxes than any batch may hold.
            Overloaded: it would wait too long.
            DeadlineExceeded: there is no time left for it.
            Unavailable: the batcher doesn't run, or the engine can't.
            Superseded: newer work of the client took its place.
            Exception: whatever ``work.prepare`` raised.
        """
        if self._tasks is None:
            raise Unavailable("the batcher is not running")
        if not self.engine.slots:
            raise Unavailable(NO_ENGINE)
        if work.rois > self.limits.rois:
            raise TooLarge(
                f"{work.rois} boxes were sent; a batch holds {self.limits.rois}",
                field="boxes",
                limit=self.limits.rois,
                value=work.rois,
            )
        claim = QueuedCost(work.client, work.share, self.cost.now.job(work.rois), self.cost.now.batch(1, work.rois))
        self.wait_estimator.admit(claim, work.deadline)
        item = Item(work, claim, self.clock(), asyncio.get_running_loop().create_future())
        self._waiting[item] = None
        self._enter(item, self._tasks)
        self._advance()
        try:
            return await item.answer
        finally:
            if item in self._waiting:  # cancelled, before it came to the engine
                self._withdraw(item)
                late = work.deadline is not None and self.clock() >= work.deadline - SLACK_S
                self._watcher.dropped("deadline" if late else "gone")
                self._advance()

    def _enter(self, item: Item, tasks: asyncio.TaskGroup) -> None:
        """Into the queue; or, if an older one of the client stands where it can be replaced, beside that one."""
        older = self._newest.get(item.client) if item.work.latest else None
        if item.work.latest:
            self._newest[item.client] = item
        if older is None or older.canvas != item.canvas:
            self._enqueue(item)
        elif older.queued:
            # In this order: a client with nothing in the queue would lose its turn.
            self._enqueue(item)
            self._supersede(older)
        elif older in self._renewing or (older in self._forming and self._fits(item, older)):
            self._renewing[item] = older
            item.preparing = tasks.create_task(self._prepare(item))
        else:
            self._enqueue(item)

    def _enqueue(self, item: Item) -> None:
        self._queue.put(item)
        item.queued = True

    def _supersede(self, item: Item) -> None:
        self._refuse(item, Superseded())
        self._watcher.dropped("superseded")

    def _renew(self, item: Item) -> None:
        """It is prepared: it takes the place of the older one, or its turn in the queue if that one has left."""
        older = self._renewing.pop(item, None)
        if older in self._forming and self._fits(item, older):
            place = self._forming.index(older)
            self._supersede(older)
            self._forming.insert(place, item)
        elif older is not None:
            self._enqueue(item)

    def _engine_changed(self) -> None:
        """It has more slots, or fewer; with none, nobody waits for what may never come."""
        self.wait_estimator.resize(self.engine.slots)
        self._slots.changed()
        if not self.engine.slots:
            for item in list(self._waiting):
                self._refuse(item, Unavailable(NO_ENGINE))
        self._advance()

    def _advance(self) -> None:
        """Form and launch until there is nothing to do; called after every change."""
        self._moved.set()
        while self._tasks is not None:
            self._form(self._tasks)
            ready = [item for item in self._forming if item.prepared is not None]
            if not ready or not (self._launched < self.engine.slots or self._may_leave_early(ready)):
                break
            self._forming = [item for item in self._forming if item.prepared is None]
            self._left_behind = bool(self._forming)
            self._launched += 1
            self._tasks.create_task(self._launch(ready))

    def _form(self, tasks: asyncio.TaskGroup) -> None:
        self._left_behind = self._left_behind and bool(self._forming)
        while (item := self._queue.next(self._canvas)) is not None and self._fits(item):
            if self._left_behind and self._turn_is_elsewhere():
                break
            if not self._dropped_as_late(item, item.claim.alone):
                self._queue.take(item, self._canvas)
                item.queued = False
                self._forming.append(item)
                item.preparing = item.preparing or tasks.create_task(self._prepare(item))

    def _turn_is_elsewhere(self) -> bool:
        # What a launched batch left behind keeps its canvas. Where something is always still being decoded, no other
        # canvas would ever come to its turn if that batch went on taking company.
        following = self._queue.next()
        return following is not None and following.canvas != self._canvas

    def _is_wanted(self, item: Item, batch_ms: float) -> bool:
        return item in self._waiting and not item.answer.done() and not self._dropped_as_late(item, batch_ms)

    def _dropped_as_late(self, item: Item, batch_ms: float) -> bool:
        late = item.work.deadline is not None and self.clock() + batch_ms / 1000 > item.work.deadline
        if late:
            self._refuse(item, DeadlineExceeded("its turn came too late", field="deadline_ms"))
            self._watcher.dropped("deadline")
        return late

    @property
    def _canvas(self) -> Size | None:
        return self._forming[0].canvas if self._forming else None

    def _fits(self, item: Item, instead_of: Item | None = None) -> bool:
        others = [other for other in self._forming if other is not instead_of]
        if not others:
            return True
        images = len(others) + 1
        rois = sum(other.work.rois for other in others)
        without = self.cost.now.batch(len(others), rois)
        cost = self.cost.now.batch(images, rois + item.work.rois)
        return (
            images <= self.limits.images
            and rois + item.work.rois <= self.limits.rois
            and images * 3 * item.canvas[0] * item.canvas[1] <= self.limits.bytes
            and cost <= self.limits.budget_ms
            and not self._makes_late(without, cost)
        )

    def _makes_late(self, without_ms: float, with_ms: float) -> bool:
        """Company would make one miss its deadline who else would not."""
        starts = self.clock() + self.wait_estimator.running_ms() / 1000
        deadlines = [item.work.deadline for item in self._forming if item.work.deadline is not None]
        return any(starts + without_ms / 1000 <= deadline < starts + with_ms / 1000 for deadline in deadlines)

    def _may_leave_early(self, ready: Sequence[Item]) -> bool:
        if self._launched > self.engine.max_in_flight or len(ready) < len(self._forming):
            return False
        following = self._queue.next(self._canvas)
        return len(ready) >= self.limits.images or (following is not None and not self._fits(following))

    async def _prepare(self, item: Item) -> None:
        try:
            item.decode_began = self.clock()
            if item.work.quick:
                item.prepared, item.decode_ms = self._timed(item.work.prepare)
            else:
                item.prepared, item.decode_ms = await asyncio.get_running_loop().run_in_executor(
                    self._workers, self._timed, item.work.prepare
                )
            self._renew(item)
        except Exception as error:
            self._refuse(item, error)
        self._advance()

    def _timed(self, prepare: Callable[[], P]) -> tuple[P, float]:
        started = self.clock()
        prepared = prepare()
        return prepared, (self.clock() - started) * 1000

    async def _launch(self, members: Sequence[Item]) -> None:
        """A batch on its last way: assembled, then to the engine as soon as that has a slot, then answered."""
        try:
            batch = await self._assemble(members)
            async with self._slots.one():
                while len(alive := self._wanted(members)) < len(members):
                    members = alive
                    batch = await self._assemble(members) if members else batch
                for item in members:
                    self._withdraw(item)
                if members:
                    claimed = sum(item.cost for item in members)
                    answers = [item.answer for item in members]
                    if self._tracing.is_on:
                        run = self._traced(members, batch, claimed)
                    else:
                        run = self._dispatcher.run(inputs(members), batch, claimed)
                    for item, ran in zip(members, await while_wanted(answers, run) or (), strict=False):
                        item.settle(ran)
        except Exception as error:  # ours, such as too little memory for the batch: it must not end the batcher
            for item in members:
                self._refuse(item, error)
        except BaseException:
            for item in members:
                self._refuse(item, Unavailable("the service is shutting down", reason=State.DRAINING))
            raise
        finally:
            self._launched -= 1
        self._advance()
        await asyncio.sleep(MOMENT_S)
        self._dispatcher.learn()

    async def _traced(self, members: Sequence[Item], batch: Batch, claimed: float) -> list[Ran]:
        """Run a batch as a span, whose context the engine gets."""
        requests = [item.work.traceparent for item in members]
        span = self._tracing.batch(self.engine.info.ref.name, requests, sum(item.work.rois for item in members))
        meta = replace(batch.meta, traceparent=span.traceparent)
        outcome = "cancelled"
        try:
            ran = await self._dispatcher.run(inputs(members), replace(batch, meta=meta), claimed)
            failed = [one.outcome for one in ran if isinstance(one.outcome, Exception)]
            outcome = type(failed[0]).__name__ if failed else "ok"
            return ran
        finally:
            span.end(outcome)

    def _wanted(self, members: Sequence[Item]) -> list[Item]:
        """Those whose callers still wait, and who will be answered in time."""
        batch_ms = self.cost.now.batch(len(members), sum(item.work.rois for item in members))
        return [item for item in members if self._is_wanted(item, batch_ms)]

    async def _assemble(self, members: Sequence[Item]) -> Batch:
        arguments = inputs(members), self.engine.roi_counts, self._terms(members)
        return assemble(*arguments) if len(members) == 1 else await asyncio.to_thread(assemble, *arguments)

    def _terms(self, members: Sequence[Item]) -> BatchMeta:
        works = [item.work for item in members]
        deadlines = [work.deadline for work in works if work.deadline is not None]
        return BatchMeta(
            requested=reduce(or_, (work.requested for work in works)),
            deadline=max(deadlines) if len(deadlines) == len(works) else None,
            cost_ms=self.cost.now.batch(len(works), sum(work.rois for work in works)),
            traceparent=next((work.traceparent for work in works if work.traceparent), ""),
        )

    def _refuse(self, item: Item, error: Exception) -> None:
        if item in self._waiting:
            self._withdraw(item)
        if not item.answer.done():
            item.answer.set_exception(error)

    def _withdraw(self, item: Item) -> None:
        """It waits no more: it goes to the engine, or away; a launched batch leaves out who went away."""
        del self._waiting[item]
        self.wait_estimator.leave(item.claim)
        if self._newest.get(item.client) is item:
            del self._newest[item.client]
        if item.queued:
            self._queue.remove(item)
            item.queued = False
        elif item in self._forming:
            self._forming.remove(item)
        elif not self._renewing.pop(item, None):
            return  # launched
        if item.preparing and item.preparing is not asyncio.current_task():
            item.preparing.cancel()
