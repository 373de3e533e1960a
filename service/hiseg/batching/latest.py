"""Live cameras: a newer frame replaces an older one of the same camera that still waits.

The newest frame should go to the engine, but no batch should wait for a frame to be decoded. So an older frame that has
joined the next batch stays there until the newer one, prepared beside it, is ready to take its place: there is always
one that can leave.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from hiseg.batching.job import BatchJob
from hiseg.batching.next_batch import NextBatch


class Superseded(Exception):
    """A newer job of the same stream has taken the place of this one; happens only to jobs that are ``latest``."""


class LatestJobs:
    """The jobs that are ``latest``: of each stream the newest, and those that are to replace an older one.

    Args:
        next_batch: the batch that is being formed, and its queue.
        aside: jobs that are being prepared before they are queued.
        enqueue: lets a job wait for its turn.
        prepare: begins to prepare a job.
        supersede: removes a job that was replaced, and tells its caller with :class:`Superseded`.
    """

    def __init__(
        self,
        next_batch: NextBatch,
        aside: Container[BatchJob],
        enqueue: Callable[[BatchJob], None],
        prepare: Callable[[BatchJob], None],
        supersede: Callable[[BatchJob], None],
    ) -> None:
        self._next_batch = next_batch
        self._aside = aside
        self._enqueue = enqueue
        self._prepare = prepare
        self._supersede = supersede
        # By client and stream.
        self._newest: dict[tuple[str, int | None], BatchJob] = {}
        # In preparation -> the older job whose place it will take.
        self.replacements: dict[BatchJob, BatchJob] = {}

    def add(self, job: BatchJob) -> None:
        """Queue a job, instead of an older one that waits there; or prepare it to replace one in the next batch."""
        batch = self._next_batch
        key = job.client, job.stream
        older = self._newest.get(key)
        self._newest[key] = job
        if older is None or older.canvas != job.canvas:
            self._enqueue(job)
        elif older in batch.queue and not older.is_prepared:
            self._take_turn(job, older)
        elif (
            older in self.replacements
            or older in self._aside
            or older in batch.queue
            or (older in batch.jobs and batch.fits(job, instead_of=older))
        ):
            self.replacements[job] = older
            self._prepare(job)
        else:
            self._enqueue(job)

    def on_prepared(self, job: BatchJob) -> None:
        """Let a replacement take the older job's place, or its turn in the queue if the older one has left."""
        older = self.replacements.pop(job, None)
        if older is None:
            return
        batch = self._next_batch
        if older in batch.jobs and batch.fits(job, instead_of=older):
            batch.jobs[batch.jobs.index(older)] = job
            self._supersede(older)
        elif older in batch.queue:
            self._take_turn(job, older)
        else:
            batch.queue.put(job)
            if older in self._aside:
                self._supersede(older)

    def _take_turn(self, job: BatchJob, older: BatchJob) -> None:
        """Let a job take the place of an older one in the queue."""
        queue = self._next_batch.queue
        if older.share == job.share:
            queue.replace(job, older)
        else:
            queue.put(job)
        self._supersede(older)

    def forget(self, job: BatchJob) -> None:
        """Forget a job that no longer waits: it can't be replaced, and replaces none."""
        self.replacements.pop(job, None)
        if self._newest.get((job.client, job.stream)) is job:
            del self._newest[job.client, job.stream]
