"""The rule of batching: which jobs go into the next batch, and when it leaves for the engine.

There is no timer: load itself makes the batches. While the engine works on one batch, the next one is formed from the
jobs that wait, in fair order and within a budget of predicted cost; their images are decoded meanwhile. It leaves as
soon as an engine slot is free, with those of its jobs that are decoded by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hiseg.batching.cost import CostModel
from hiseg.batching.fair_queue import FairQueue
from hiseg.batching.job import BatchJob, BatchLimits
from hiseg.batching.wait import WaitEstimator
from hiseg.core.canvas import Size
from hiseg.engines.base import Engine


class NextBatch:
    """The batch that is being formed: ``jobs``, which were taken from ``queue``.

    Args:
        engine: its slots, and its room for batches beyond them, decide when a batch leaves.
        limits: how large a batch may be.
        cost: predicts what a batch costs.
        wait_estimator: predicts when the engine is free.
        clock: seconds, monotonic.
        prepare: begins to prepare a job that has joined the batch.
        drop_late: removes a job from the queue because its deadline can't be met any more.
    """

    def __init__(
        self,
        engine: Engine,
        limits: BatchLimits,
        cost: CostModel,
        wait_estimator: WaitEstimator,
        clock: Callable[[], float],
        prepare: Callable[[BatchJob], None],
        drop_late: Callable[[BatchJob], None],
    ) -> None:
        self.queue: FairQueue[BatchJob] = FairQueue()
        self.jobs: list[BatchJob] = []
        self._is_remainder = False
        self._engine = engine
        self._limits = limits
        self._cost = cost
        self._wait_estimator = wait_estimator
        self._clock = clock
        self._prepare = prepare
        self._drop_late = drop_late

    # The rule, from here to the end of the class. Jobs whose callers have left are removed as soon as they leave.

    def fill(self) -> None:
        """Let jobs join from the queue, in fair order, until the next one doesn't fit or there is none."""
        self._is_remainder = self._is_remainder and bool(self.jobs)
        while (job := self.queue.next(self.canvas)) is not None and self.fits(job):
            if self._is_remainder and self._is_turn_of_another_canvas():
                break
            if self.is_late(job, job.alone_ms):
                self._drop_late(job)
                continue
            self.queue.take(job)
            self.jobs.append(job)
            self._prepare(job)

    def take_departing(self, in_flight: int) -> list[BatchJob]:
        """Remove and return the jobs that leave for the engine now; none if the batch stays.

        With an engine slot free, those that are prepared leave, and the remainder waits for the next slot. Without one
        only a full batch leaves, once all of it is prepared: to share a slot if the engine has room for that, or else
        to stand assembled before the engine, one batch at most.
        """
        ready = [job for job in self.jobs if job.is_prepared]
        if not ready:
            return []
        slot_is_free = in_flight < self._engine.slots
        may_leave_early = in_flight <= self._engine.max_in_flight and len(ready) == len(self.jobs)
        if not slot_is_free and not (may_leave_early and self._is_full()):
            return []
        self.jobs = [job for job in self.jobs if not job.is_prepared]
        self._is_remainder = bool(self.jobs)
        return ready

    @property
    def canvas(self) -> Size | None:
        """(height, width) that all jobs of the batch share; None while it is empty."""
        return self.jobs[0].canvas if self.jobs else None

    def fits(self, job: BatchJob, instead_of: BatchJob | None = None) -> bool:
        """Whether a job on the batch's canvas may join, or take another's place; into an empty batch any job fits."""
        others = [other for other in self.jobs if other is not instead_of]
        if not others:
            return True
        images, rois_before = len(others) + 1, sum(other.rois for other in others)
        rois = rois_before + job.rois
        before_ms, cost_ms = self._cost.now.batch(len(others), rois_before), self._cost.now.batch(images, rois)
        return (
            images <= self._limits.images
            and rois <= self._limits.rois
            and images * 3 * job.canvas[0] * job.canvas[1] <= self._limits.bytes
            and cost_ms <= self._limits.budget_ms
            and not self._would_make_late(others, before_ms, cost_ms)
        )

    def is_late(self, job: BatchJob, batch_ms: float) -> bool:
        """Whether a batch of so many milliseconds, begun now, would end after the job's deadline."""
        return job.deadline is not None and self._clock() + batch_ms / 1000 > job.deadline

    def _would_make_late(self, jobs: Sequence[BatchJob], before_ms: float, cost_ms: float) -> bool:
        """Whether one of ``jobs`` meets its deadline in a batch of ``before_ms``, but not in one of ``cost_ms``."""
        starts = self._clock() + self._wait_estimator.running_ms() / 1000
        deadlines = [job.deadline for job in jobs if job.deadline is not None]
        return any(starts + before_ms / 1000 <= deadline < starts + cost_ms / 1000 for deadline in deadlines)

    def _is_full(self) -> bool:
        following = self.queue.next(self.canvas)
        return len(self.jobs) >= self._limits.images or (following is not None and not self.fits(following))

    def _is_turn_of_another_canvas(self) -> bool:
        # A remainder keeps its canvas. If it went on taking jobs while something in it is always still being decoded,
        # jobs on other canvases would never have their turn.
        following = self.queue.next()
        return following is not None and following.canvas != self.canvas
