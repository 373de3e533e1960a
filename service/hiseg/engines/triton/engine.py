"""The engine that runs a model on Triton: sends each batch to one of the servers, and retries it on another."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from hiseg.core.errors import DeadlineExceeded, Overloaded, Reason, Unavailable
from hiseg.engines.base import ROI_COUNTS, Batch, ModelInfo, Prediction
from hiseg.engines.triton.address import Target, resolve
from hiseg.engines.triton.endpoint import Endpoint, SelfTest
from hiseg.engines.triton.failures import CallFailed, FailureKind
from hiseg.observability.reports import EndpointReport, EndpointState

log = logging.getLogger(__name__)
RESOLVE_S = 5.0
"""Seconds between two resolutions of the servers' names."""
MAX_CRASHES = 2
"""Number of servers that may go down while they run a batch; after that the batch isn't run again."""


class ModelFailed(Exception):
    """The model failed on a batch, for a reason that isn't known."""


class TritonEngine:
    """Runs one model on all its servers; usable inside ``async with engine.running()``.

    Args:
        model: description that batches are made for; versions that take other canvases, or give no masks where it
            does, aren't used.
        targets: hosts and ports of the servers.
        self_test: tests a version on a server before it is used.
    """

    def __init__(self, model: ModelInfo, targets: Sequence[Target], self_test: SelfTest) -> None:
        self._model = model
        self._targets = targets
        self._self_test = self_test
        self._listeners: list[Callable[[], None]] = []
        self._slots = 0
        self._usable = asyncio.Event()
        self._watching: set[asyncio.Task[None]] = set()
        self.endpoints: dict[str, Endpoint] = {}

    @property
    def info(self) -> ModelInfo:
        """Description of the newest version in use; while none is, of the last one."""
        return self._model

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def max_in_flight(self) -> int:
        return self._slots

    @property
    def roi_counts(self) -> tuple[int, ...]:
        on_gpu = any(e.replica and e.replica.served.on_gpu for e in self.endpoints.values())
        if not on_gpu:
            return ()
        return ROI_COUNTS if self._model.has_masks else (0,)

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._listeners.append(changed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TritonEngine]:
        """Poll and use the servers until the end of the block, which closes all connections."""
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            watching_addresses = tasks.create_task(self._watch_addresses(tasks))
            try:
                yield self
            except Exception as error:
                failure = error  # kept: the group would wrap it
            finally:
                for task in (watching_addresses, *self._watching):
                    task.cancel()
        if failure:
            raise failure

    async def wait_until_usable(self) -> None:
        """Wait until a server runs the model."""
        await self._usable.wait()

    async def infer(self, batch: Batch) -> Prediction:
        failed: set[Endpoint] = set()
        crashes = 0
        while endpoint := self._choose(batch, failed):
            try:
                return await endpoint.infer(batch)
            except CallFailed as failure:
                if failure.kind is FailureKind.TIMED_OUT or _deadline_passed(batch):
                    raise DeadlineExceeded("no answer before the deadline", field="deadline_ms") from failure
                if failure.kind is FailureKind.MODEL_ERROR:
                    raise ModelFailed(f"{endpoint.address}: {failure}") from failure
                crashes += failure.suspect
                if crashes >= MAX_CRASHES:
                    log.error("%d servers went down while they ran a batch; it is not run again", crashes)
                    text = f"{crashes} servers went down while they ran it"
                    raise Unavailable(text, reason=Reason.ENGINE_FAILED) from failure
                failed.add(endpoint)
                last = failure
                endpoint.retries += self._choose(batch, failed) is not None
        if failed and last.kind is FailureKind.QUEUE_FULL:
            raise Overloaded("the queue of every Triton is full", reason=Reason.ENGINE_BUSY)
        raise Unavailable("no Triton answers")

    def reports(self) -> list[EndpointReport]:
        """Present state and counts of each server, for the metrics."""
        return [endpoint.report() for endpoint in self.endpoints.values()]

    def close(self) -> None:
        """Does nothing: :meth:`running` closes the connections."""

    def _choose(self, batch: Batch, failed: set[Endpoint]) -> Endpoint | None:
        """The server with the least predicted work, or of several the least recently used; None if none is up.

        While servers have different versions, not all of them may compute what is requested of the batch.
        """
        running = [e for e in self.endpoints.values() if e.state is EndpointState.UP and e not in failed]
        up = [e for e in running if e.replica and e.replica.gives(batch)]
        with_room = [e for e in up if e.in_flight < e.slots]
        return min(with_room or up, key=lambda e: (e.load, e.last_used), default=None)

    async def _watch_addresses(self, tasks: asyncio.TaskGroup) -> None:
        """Add and retire endpoints as the addresses of the targets change."""
        while True:
            # A name that can't be resolved for a while doesn't mean that its servers are gone.
            if found := await resolve(self._targets):
                for address in found - self.endpoints.keys():
                    endpoint = Endpoint(address, self._model.ref.name, self._accepts, self._self_test, self._update)
                    self.endpoints[address] = endpoint
                    watching = tasks.create_task(endpoint.watch())
                    self._watching.add(watching)
                    watching.add_done_callback(self._watching.discard)
                for address in self.endpoints.keys() - found:
                    self.endpoints.pop(address).retire()
                self._update()
            await asyncio.sleep(RESOLVE_S)

    def _accepts(self, info: ModelInfo) -> bool:
        fits = info.resize is self._model.resize and set(self._model.canvases) <= set(info.canvases)
        return fits and info.keeps(self._model)

    def _update(self) -> None:
        """Recompute slots and description after an endpoint changed, and tell the listeners."""
        up = [e.replica for e in self.endpoints.values() if e.state is EndpointState.UP and e.replica]
        if up:
            self._usable.set()
            for endpoint in self.endpoints.values():
                if endpoint.is_unresponsive:  # without another server its batches had better wait for it
                    endpoint.cancel_calls()
            newest = max(up, key=lambda replica: int(replica.ref.version))
            self._model = replace(newest.served.info, canvases=self._model.canvases)
        slots = sum(e.slots for e in self.endpoints.values())
        if slots != self._slots:
            self._slots = slots
            for changed in self._listeners:
                changed()


def _deadline_passed(batch: Batch) -> bool:
    return batch.meta.deadline is not None and time.monotonic() >= batch.meta.deadline
