"""The rule of batching: which jobs go into the next batch, and when it leaves for the engine.

There is no timer: load itself makes the batches. While the engine works on one batch, the next one is formed from the
jobs that wait, in fair order and within a budget of predicted cost; their images are decoded meanwhile. It leaves as
soon as an engine slot is free, with those of its jobs that are decoded by then.

Nobody waits for a crowd: while one has the engine, all other jobs share it, but for other crowds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hiseg.batching.cost import CostModel
from hiseg.batching.fair_queue import FairQueue
from hiseg.batching.job import BatchJob, BatchLimits
from hiseg.batching.wait import LONG_JOB_MS, WaitEstimator, is_long
from hiseg.core.image import Size
from hiseg.engines.base import Engine


class NextBatch:
    """The batch that is being formed: ``jobs``, which were taken from ``queue``.

    Args:
        engine: its slots decide when a batch leaves.
        limits: how large a batch may be.
        cost_model: predicts what a batch costs.
        wait_estimator: predicts when the engine is free.
        clock: seconds, monotonic.
        prepare: begins to prepare a job that has joined the batch.
        drop_late: refuses a job whose deadline can't be met any more, and removes it from the queue.
    """

    def __init__(
        self,
        engine: Engine,
        limits: BatchLimits,
        cost_model: CostModel,
        wait_estimator: WaitEstimator,
        clock: Callable[[], float],
        prepare: Callable[[BatchJob], None],
        drop_late: Callable[[BatchJob], None],
    ) -> None:
        self.queue: FairQueue[BatchJob] = FairQueue()
        self.jobs: list[BatchJob] = []
        # Whether the batch began with jobs that the one before it left behind, since they were still being decoded.
        self._is_remainder = False
        # Most that a job which joins may cost, in milliseconds.
        self._max_cost_ms = math.inf
        self._engine = engine
        self._limits = limits
        self._cost_model = cost_model
        self._wait_estimator = wait_estimator
        self._clock = clock
        self._prepare = prepare
        self._drop_late = drop_late

    @property
    def canvas(self) -> Size | None:
        """(height, width) that all jobs of the batch share; None while it is empty."""
        return self.jobs[0].canvas if self.jobs else None

    # The rule, from here to the end. A job whose caller leaves is removed from queue and batch at once, by the batcher.

    def fill(self, long_in_flight: int) -> None:
        """Let jobs on the batch's canvas join in fair order, as long as the next one fits and isn't too late.

        Args:
            long_in_flight: number of batches in flight that :func:`is_long` is true of. If all slots have one, no such
                job joins: the batch would have to wait, and everybody else behind it.
        """
        self._max_cost_ms = LONG_JOB_MS if long_in_flight >= self._engine.slots else math.inf
        self._is_remainder = self._is_remainder and bool(self.jobs)
        while (job := self.queue.next(self.canvas, self._max_cost_ms)) is not None and self.fits(job):
            if self._is_remainder and self._is_turn_of_another_canvas():
                break
            if self._is_late(job, job.alone_ms):
                self._drop_late(job)
                continue
            self.queue.take(job)
            self.jobs.append(job)
            self._prepare(job)

    def fits(self, job: BatchJob, instead_of: BatchJob | None = None) -> bool:
        """Whether a job on the batch's canvas may join, or take another's place; into an empty batch any job fits."""
        others = [other for other in self.jobs if other is not instead_of]
        if not others:
            return True
        cost = self._cost_model.now
        images, rois = len(others) + 1, sum(other.rois for other in others) + job.rois
        without_ms, with_ms = cost.batch(images - 1, rois - job.rois), cost.batch(images, rois)
        return (
            images <= self._limits.images
            and rois <= self._limits.rois
            and images * 3 * job.canvas[0] * job.canvas[1] <= self._limits.bytes
            and with_ms <= self._limits.budget_ms
            and not self._would_make_late(others, without_ms, with_ms)
        )

    def _would_make_late(self, jobs: Sequence[BatchJob], without_ms: float, with_ms: float) -> bool:
        """Whether one of ``jobs`` meets its deadline in a batch of ``without_ms``, but not in one of ``with_ms``."""
        starts = self._clock() + self._wait_estimator.running_ms(max(job.cost_ms for job in jobs)) / 1000
        deadlines = [job.deadline for job in jobs if job.deadline is not None]
        return any(starts + without_ms / 1000 <= deadline < starts + with_ms / 1000 for deadline in deadlines)

    def _is_late(self, job: BatchJob, batch_ms: float) -> bool:
        return job.deadline is not None and self._clock() + batch_ms / 1000 > job.deadline

    def _is_turn_of_another_canvas(self) -> bool:
        # A remainder keeps its canvas. If it went on taking jobs while something in it is always still being decoded,
        # jobs on other canvases would never have their turn.
        following = self.queue.next(max_cost_ms=self._max_cost_ms)
        return following is not None and following.canvas != self.canvas

    def take_departing(self, in_flight: int) -> list[BatchJob]:
        """Remove and return the jobs that leave for the engine now; none if the batch stays.

        With a slot free, those that are prepared leave. Without one a crowd stays, and others leave too if the engine
        has room for a batch that shares a slot, and crowds have all slots. Otherwise a full batch leaves, once all of
        it is prepared, to share a slot, or else to stand assembled before the engine: one batch at most.

        Args:
            in_flight: number of batches that have left and not come back.
        """
        ready = [job for job in self.jobs if job.is_prepared]
        slot_is_free = in_flight < self._engine.slots
        may_leave_early = in_flight <= self._engine.max_in_flight and len(ready) == len(self.jobs)
        if not ready:
            return []
        shares_slot = self._max_cost_ms < math.inf and in_flight < self._engine.max_in_flight
        if not (slot_is_free or (not is_long(ready) and (shares_slot or (may_leave_early and self._is_full())))):
            return []
        self.jobs = [job for job in self.jobs if not job.is_prepared]
        self._is_remainder = bool(self.jobs)
        return ready

    def _is_full(self) -> bool:
        following = self.queue.next(self.canvas, self._max_cost_ms)
        return len(self.jobs) >= self._limits.images or (following is not None and not self.fits(following))

    def drop_unneeded(self, jobs: Sequence[BatchJob]) -> list[BatchJob]:
        """Of a batch that the engine can take now, return the jobs whose callers still wait; drop those too late."""
        batch_ms = self._cost_model.now.batch(len(jobs), sum(job.rois for job in jobs))
        waiting = [job for job in jobs if not job.answer.done()]
        for job in waiting:
            if self._is_late(job, batch_ms):
                self._drop_late(job)
        return [job for job in waiting if not job.answer.done()]
