"""The engine that sends batches to Triton: one model, over all servers that run it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from hiseg.core.errors import DeadlineExceeded, Overloaded, Unavailable
from hiseg.engines.base import DANGEROUS, ROI_COUNTS, Batch, ModelInfo, Prediction
from hiseg.engines.triton.address import Target, resolve
from hiseg.engines.triton.endpoint import Endpoint, Trial
from hiseg.engines.triton.failures import CallFailed, Kind
from hiseg.observability.reports import EndpointReport, EndpointState

log = logging.getLogger("uvicorn.error")
RESOLVE_S = 5.0
MOST_HURT = 2
"""A batch that was there when so many servers went down is not run again."""


class ModelFailed(Exception):
    """A server can't run this batch, and nobody knows why."""


class TritonEngine:
    """Runs one model; works inside ``async with engine.running()``.

    Args:
        model: what batches are made for; of versions that take other canvases none is used.
        targets: where the servers are.
        trial: how a version on a server is tried before it is used.
    """

    def __init__(self, model: ModelInfo, targets: Sequence[Target], trial: Trial) -> None:
        self._model = model
        self._targets = targets
        self._trial = trial
        self._listeners: list[Callable[[], None]] = []
        self._slots = 0
        self._usable = asyncio.Event()
        self._watching: set[asyncio.Task[None]] = set()
        self.endpoints: dict[str, Endpoint] = {}

    @property
    def info(self) -> ModelInfo:
        """The newest version that is in use; while none is, the last."""
        return self._model

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def max_in_flight(self) -> int:
        return self._slots

    @property
    def roi_counts(self) -> tuple[int, ...]:
        on_gpu = any(e.replica and e.replica.described.on_gpu for e in self.endpoints.values())
        return ROI_COUNTS if on_gpu else ()

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._listeners.append(changed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TritonEngine]:
        """Owns every connection, and the tasks that watch them."""
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow(tasks))
            try:
                yield self
            except Exception as error:
                failure = error  # kept: the group would wrap it
            finally:
                for task in (following, *self._watching):
                    task.cancel()
        if failure:
            raise failure

    async def usable(self) -> None:
        """Wait until a server runs the model."""
        await self._usable.wait()

    async def infer(self, batch: Batch) -> Prediction:
        failed: set[Endpoint] = set()
        hurt = 0
        while endpoint := self._choose(failed):
            try:
                return await endpoint.infer(batch)
            except CallFailed as failure:
                if failure.kind is Kind.LATE or _is_over(batch):
                    raise DeadlineExceeded("no answer before the deadline", field="deadline_ms") from failure
                if failure.kind is Kind.FAULT:
                    raise ModelFailed(f"{endpoint.address}: {failure}") from failure
                hurt += failure.hurt
                if hurt >= MOST_HURT:
                    log.error("A batch was there when %d servers went down; it is not run again", hurt)
                    text = f"{hurt} servers went down while they ran it"
                    raise Unavailable(text, reason=DANGEROUS) from failure
                failed.add(endpoint)
                last = failure
                endpoint.retries += self._choose(failed) is not None
        if failed and last.kind is Kind.BUSY:
            raise Overloaded("the queue of every Triton is full", reason="engine")
        raise Unavailable("no Triton answers")

    def reports(self) -> list[EndpointReport]:
        """What its servers do now."""
        return [endpoint.report() for endpoint in self.endpoints.values()]

    def close(self) -> None:
        """Nothing: what there is belongs to :meth:`running`."""

    def _choose(self, failed: set[Endpoint]) -> Endpoint | None:
        """The one with the least before it; of several the one that has rested longest."""
        up = [e for e in self.endpoints.values() if e.state is EndpointState.UP and e not in failed]
        with_room = [e for e in up if e.in_flight < e.slots]
        return min(with_room or up, key=lambda e: (e.load, e.last_used), default=None)

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """Keep to the servers that the targets lead to."""
        while True:
            # A name that can't be looked up for a while doesn't mean that its servers are gone.
            if found := await resolve(self._targets):
                for address in found - self.endpoints.keys():
                    endpoint = Endpoint(address, self._model.ref.name, self._accepts, self._trial, self._look)
                    self.endpoints[address] = endpoint
                    watching = tasks.create_task(endpoint.watch())
                    self._watching.add(watching)
                    watching.add_done_callback(self._watching.discard)
                for address in self.endpoints.keys() - found:
                    self.endpoints.pop(address).leave()
                self._look()
            await asyncio.sleep(RESOLVE_S)

    def _accepts(self, info: ModelInfo) -> bool:
        return info.resize is self._model.resize and set(self._model.canvases) <= set(info.canvases)

    def _look(self) -> None:
        """Something changed at an endpoint."""
        up = [e.replica for e in self.endpoints.values() if e.state is EndpointState.UP and e.replica]
        if up:
            self._usable.set()
            for endpoint in self.endpoints.values():
                if endpoint.is_silent:  # were there no other, the batches would better wait for it
                    endpoint.give_up()
            newest = max(up, key=lambda replica: int(replica.ref.version))
            self._model = replace(newest.described.info, canvases=self._model.canvases)
        slots = sum(e.slots for e in self.endpoints.values())
        if slots != self._slots:
            self._slots = slots
            for changed in self._listeners:
                changed()


def _is_over(batch: Batch) -> bool:
    return batch.meta.deadline is not None and time.monotonic() >= batch.meta.deadline
