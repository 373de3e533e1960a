"""One server as far as one model goes: is it there, which version does it run, and how much of ours has it to do."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tritonclient.utils import InferenceServerException

from hiseg.engines.base import Batch, Engine, ModelInfo, Prediction
from hiseg.engines.contract import ModelError
from hiseg.engines.triton.breaker import Breaker
from hiseg.engines.triton.connection import SILENT_S, ask_description, ask_versions, connect
from hiseg.engines.triton.failures import CallFailed, Kind, call_failed
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.replica import Replica
from hiseg.engines.triton.replica_engine import ReplicaEngine
from hiseg.observability.reports import EndpointReport, EndpointState

log = logging.getLogger("uvicorn.error")
POLL_S = 0.25
TRIAL_S = 10.0
RETRIAL_S = 30.0
"""So much later a version that did not end its trial is tried once more, while another one answers."""
STALLED_TIMES = 1.5
SLOW_S = 1.0
SLOW_TIMES = 10
"""A batch that took longer than a second, and ten times what was predicted, counts against the server."""
KEEP_REGIONS = 8
Trial = Callable[[Engine], Awaitable[None]]
"""Runs an engine for the first time; raises if its answers can't be trusted."""


class Endpoint:
    """Watches one server, and sends batches to it.

    Args:
        address: ``address:port`` of its gRPC.
        model: the model's name.
        accepts: whether a version's description fits what batches are made for.
        trial: see :data:`Trial`.
        changed: called whenever :attr:`slots` is another.
    """

    def __init__(
        self,
        address: str,
        model: str,
        accepts: Callable[[ModelInfo], bool],
        trial: Trial,
        changed: Callable[[], None],
    ) -> None:
        self.address = address
        self.state = EndpointState.DOWN
        self.replica: Replica | None = None
        self.in_flight = 0
        self.outstanding_ms = 0.0
        self.last_used = 0.0
        self.batches = 0
        self.failures = 0
        self.retries = 0
        """Batches that were run again elsewhere after they failed here."""
        self._model = model
        self._accepts = accepts
        self._trial = trial
        self._changed = changed
        self._breaker = Breaker()
        self.refused: dict[int, float] = {}
        """Versions that failed their trial, and until when they aren't tried again unless they have been away."""
        self._calls: set[asyncio.Timeout] = set()
        self._look_again = asyncio.Event()
        self._leaving = False
        self._said = ""

    @property
    def slots(self) -> int:
        """Batches that may be sent there at once."""
        return self.replica.described.instances if self.replica and self.state is EndpointState.UP else 0

    @property
    def is_silent(self) -> bool:
        """It doesn't answer, though the connection stands; batches that are there may come back, or not."""
        return self.state is EndpointState.CIRCUIT_OPEN and self._breaker.is_silent

    @property
    def load(self) -> float:
        """Milliseconds of work that each of its slots has before it."""
        return self.outstanding_ms / max(1, self.slots)

    def report(self) -> EndpointReport:
        """For those who count."""
        return EndpointReport(
            address=self.address,
            state=self.state,
            version=self.replica.ref.version if self.replica and self.state is EndpointState.UP else "",
            batches=self.batches,
            failures=self.failures,
            retries=self.retries,
            in_flight=self.in_flight,
            outstanding_ms=self.outstanding_ms,
        )

    async def infer(self, batch: Batch) -> Prediction:
        """Run one batch there.

        Raises:
            CallFailed: it failed; the endpoint has drawn its conclusions.
        """
        replica = self.replica
        if replica is None:
            raise CallFailed(Kind.AWAY, f"{self.address} is away")
        cost, started, limit = batch.meta.cost_ms, time.monotonic(), asyncio.timeout(None)
        self.in_flight += 1
        self.outstanding_ms += cost
        self.last_used = started
        self._calls.add(limit)
        try:
            async with limit:
                try:
                    prediction = await replica.infer(batch)
                except CallFailed as failure:
                    # A version that was replaced meanwhile may be gone; that says nothing of the one that is there now.
                    replaced = self.state is EndpointState.UP and self.replica is not replica
                    if not (replaced and failure.kind is Kind.AWAY):
                        self._failed(failure, time.monotonic() - started, cost)
                        raise
                    prediction = await self._again(batch, failure)
        except TimeoutError as error:
            self.failures += 1
            raise CallFailed(Kind.SILENT, f"{self.address} is silent", hurt=True) from error
        finally:
            self._calls.discard(limit)
            self.in_flight -= 1
            self.outstanding_ms -= cost
        self.batches += 1
        if self._is_slow(time.monotonic() - started, cost):
            self._breaker.failed()
            self._look_at_breaker()
        else:
            self._breaker.succeeded()
        return prediction

    async def _again(self, batch: Batch, failure: CallFailed) -> Prediction:
        """Run a batch that failed on a replaced version on the present one."""
        self.failures += 1
        if failure.hurt or self.replica is None:
            raise failure
        return await self.replica.infer(batch)

    def give_up(self) -> None:
        """End what is under way there, so that it is run elsewhere while there is time."""
        while self._calls:  # once each: a timeout that has begun to end can't be moved any more
            self._calls.pop().reschedule(0)

    def leave(self) -> None:
        """Its address is no server's any more: what is under way there is finished, and then it is forgotten."""
        self._leaving = True
        self._down(EndpointState.DOWN, "its name leads elsewhere", lost=False)
        self._look_again.set()

    async def watch(self) -> None:
        """Look after it until it leaves."""
        self._client = connect(self.address)
        self._pool = Pool(self._client, self.address, KEEP_REGIONS)
        try:
            while not (self._leaving and not self.in_flight):
                self._look_again.clear()
                try:
                    if not self._leaving:
                        await self._look()
                    await self._pool.clear()
                except Exception:  # ours; one server that says something unheard of must not end the watch
                    log.exception("Triton %s: its answer is not understood", self.address)
                    self._down(EndpointState.DOWN, "its answer is not understood")
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._look_again.wait()
        finally:
            self._down(EndpointState.DOWN, "not asked any more", lost=False)
            await self._pool.clear(everything=True)
            await self._client.close()

    async def _look(self) -> None:
        asked = time.monotonic()
        try:
            versions = await ask_versions(self._client, self._model)
        except InferenceServerException as error:
            if time.monotonic() - asked < STALLED_TIMES * SILENT_S:  # else it is we who had no time to listen
                self._not_there(error)
            return
        self._breaker.heard()
        self.refused = {version: until for version, until in self.refused.items() if version in versions}
        current = int(self.replica.ref.version) if self.replica and self.state is EndpointState.UP else None
        if self._breaker.is_open and not self._breaker.may_try:
            return
        for version in versions:
            if version == current:
                return
            if self.refused.get(version, 0.0) <= time.monotonic() and await self._try(version):
                return
        if self.state is EndpointState.UP and current not in versions:
            self._down(EndpointState.DOWN, f"none of its versions can be used: {versions or 'there are none'}")

    def _not_there(self, error: InferenceServerException) -> None:
        failure = call_failed(error)
        if failure.kind is not Kind.LATE:
            self.refused.clear()
            self._down(EndpointState.DOWN, str(failure))
            return
        self._breaker.silent()
        if self._breaker.is_open:
            self._down(EndpointState.CIRCUIT_OPEN, "it is silent")

    async def _try(self, version: int) -> bool:
        """Use a version if it does well; whatever runs now goes on meanwhile."""
        if self.state is not EndpointState.UP:
            self.state = EndpointState.TESTING
        try:
            described = await ask_description(self._client, self.address, self._model, version)
            if not self._accepts(described.info):
                raise ModelError("it takes other canvases than those that are served; start anew for it")
            if self.state is EndpointState.TESTING:
                await self._pool.open()
            replica = Replica(self._client, described, self._pool)
            # At once, so that each of its instances gets one: of several that are dead some may be well.
            trials = [self._trial(ReplicaEngine(replica)) for _ in range(described.instances)]
            async with asyncio.timeout(TRIAL_S):
                for outcome in await asyncio.gather(*trials, return_exceptions=True):
                    if outcome is not None:
                        raise outcome
        except InferenceServerException as error:
            self._not_there(error)
            self._not_usable()
            return False
        except Exception as error:
            self._trial_failed(version, error)
            self._not_usable()
            return False
        self._breaker.close()
        self.replica, self.state = replica, EndpointState.UP
        self._say(f"runs {self._model}, version {version}")
        self._changed()
        return True

    def _trial_failed(self, version: int, error: Exception) -> None:
        kind = Kind.LATE if isinstance(error, TimeoutError) else error.kind if isinstance(error, CallFailed) else None
        if kind is Kind.AWAY:
            self._down(EndpointState.DOWN, str(error))
            return
        may_pass = kind in (Kind.LATE, Kind.BUSY, Kind.SICK)
        if may_pass and self.state is EndpointState.TESTING:
            self._breaker.trip()
        else:
            self.refused[version] = time.monotonic() + RETRIAL_S if may_pass else math.inf
        why = error if str(error) else type(error).__name__
        log.error("Triton %s: version %d of %s is not used: %s", self.address, version, self._model, why)

    def _not_usable(self) -> None:
        if self.state is EndpointState.TESTING:
            self.state = EndpointState.CIRCUIT_OPEN if self._breaker.is_open else EndpointState.DOWN

    def _failed(self, failure: CallFailed, took_s: float, cost_ms: float) -> None:
        self.failures += 1
        if failure.kind is Kind.AWAY:
            self._down(EndpointState.DOWN, str(failure))
            self._look_again.set()
        elif failure.kind is Kind.SICK:
            self._breaker.trip()
        elif failure.kind is Kind.FAULT or (failure.kind is Kind.LATE and self._is_slow(took_s, cost_ms)):
            self._breaker.failed()
        self._look_at_breaker()

    def _look_at_breaker(self) -> None:
        if self._breaker.is_open and self.state is EndpointState.UP:
            self._down(EndpointState.CIRCUIT_OPEN, "its batches fail, or take too long")

    def _is_slow(self, took_s: float, cost_ms: float) -> bool:
        return took_s > max(SLOW_S, SLOW_TIMES * cost_ms / 1000)

    def _down(self, state: EndpointState, why: str, lost: bool = True) -> None:
        """Send nothing there; if it is lost to us, what it knows of shared memory is as well."""
        was_up = self.state is EndpointState.UP
        self.state = state
        if was_up:
            self._say(f"{state}: {why}")
            if lost:
                self._pool.forget()
            self._changed()

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            log.info("Triton %s: %s", self.address, text)
