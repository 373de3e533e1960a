"""One Triton server, as far as one model goes: polls it, tests its versions, and sends batches to it."""

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
from hiseg.engines.triton.connection import ANSWER_TIMEOUT_S, connect, describe_version, list_versions
from hiseg.engines.triton.failures import CallFailed, FailureKind, classify
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.replica import Replica, ReplicaEngine
from hiseg.observability.reports import EndpointReport, EndpointState

log = logging.getLogger(__name__)
POLL_S = 0.25
"""Seconds between two polls of a server."""
SELF_TEST_S = 10.0
"""Seconds in which a version must pass its self-test."""
RETEST_S = 30.0
"""Seconds after which a version that failed for a passing reason is tested again, while another version is in use."""
STALLED_FACTOR = 1.5
"""A poll that took this many times its timeout was delayed by this process itself, and says nothing of the server."""
SLOW_S = 1.0
SLOW_FACTOR = 10
"""A batch counts as too slow if it took more than ``SLOW_S`` seconds and this many times its predicted time."""
MAX_FREE_REGIONS = 8
"""Largest number of unused shared memory regions that are kept for each server and model."""
SelfTest = Callable[[Engine], Awaitable[None]]
"""Runs an engine for the first time; raises if its results can't be trusted."""


class Endpoint:
    """Polls one server, and sends batches to it.

    Args:
        address: ``address:port`` of the server's gRPC.
        model: name of the model.
        accepts: whether the description of a version fits the batches that are made.
        self_test: see :data:`SelfTest`.
        changed: called whenever :attr:`slots` changes.
    """

    def __init__(
        self,
        address: str,
        model: str,
        accepts: Callable[[ModelInfo], bool],
        self_test: SelfTest,
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
        """Number of batches that failed here and were run again on another server."""
        self._model = model
        self._accepts = accepts
        self._self_test = self_test
        self._changed = changed
        self._breaker = Breaker()
        self.refused_until: dict[int, float] = {}
        """Versions that failed their self-test, and the monotonic time from which each may be tested again.

        A version is forgotten when the server no longer has it, or is down: it is tested anew when it comes back.
        """
        self._calls: set[asyncio.Timeout] = set()
        self._wake = asyncio.Event()
        self._retired = False
        self._last_logged = ""

    @property
    def slots(self) -> int:
        """Number of batches that may be sent to the server at once."""
        return self.replica.served.instances if self.replica and self.state is EndpointState.UP else 0

    @property
    def is_unresponsive(self) -> bool:
        """Whether the server doesn't answer though the connection is open; its batches may or may not come back."""
        return self.state is EndpointState.CIRCUIT_OPEN and self._breaker.is_unresponsive

    @property
    def load(self) -> float:
        """Predicted milliseconds of work for each slot of the server."""
        return self.outstanding_ms / max(1, self.slots)

    def report(self) -> EndpointReport:
        """Present state and counts, for the metrics."""
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
        """Run one batch on the server.

        Raises:
            CallFailed: the batch failed; the state of the endpoint is updated already.
        """
        replica = self.replica
        if replica is None:
            raise CallFailed(FailureKind.UNAVAILABLE, f"{self.address} is down")
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
                    if not (replaced and failure.kind is FailureKind.UNAVAILABLE):
                        self._record_failure(failure, time.monotonic() - started, cost)
                        raise
                    prediction = await self._retry_on_present_version(batch, failure)
        except TimeoutError as error:
            self.failures += 1
            raise CallFailed(FailureKind.UNRESPONSIVE, f"{self.address} does not answer", suspect=True) from error
        finally:
            self._calls.discard(limit)
            self.in_flight -= 1
            self.outstanding_ms -= cost
        self.batches += 1
        if self._is_slow(time.monotonic() - started, cost):
            self._breaker.record_failure()
            self._sync_breaker()
        else:
            self._breaker.record_success()
        return prediction

    async def _retry_on_present_version(self, batch: Batch, failure: CallFailed) -> Prediction:
        """Run a batch on the present version after it failed on the version before."""
        self.failures += 1
        if failure.suspect or self.replica is None or not self.replica.gives(batch):
            raise failure
        return await self.replica.infer(batch)

    def cancel_calls(self) -> None:
        """Cancel the calls in flight, so that their batches are run on another server while there is time."""
        while self._calls:  # once each: a timeout that has begun to end can't be moved any more
            self._calls.pop().reschedule(0)

    def retire(self) -> None:
        """Send no more batches, because the address is no longer configured; calls in flight are finished."""
        self._retired = True
        self._set_down(EndpointState.DOWN, "its name resolves to other addresses", lost=False)
        self._wake.set()

    async def watch(self) -> None:
        """Poll the server until the endpoint is retired and has no calls in flight."""
        self._client = connect(self.address)
        self._pool = Pool(self._client, self.address, MAX_FREE_REGIONS)
        try:
            while not (self._retired and not self.in_flight):
                self._wake.clear()
                try:
                    if not self._retired:
                        await self._poll()
                    await self._pool.clean_up()
                except Exception:  # a bug of ours, perhaps; one strange answer must not end the polling
                    log.exception("Triton %s: its answer is not understood", self.address)
                    self._set_down(EndpointState.DOWN, "its answer is not understood")
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()
        finally:
            self._set_down(EndpointState.DOWN, "not polled any more", lost=False)
            await self._pool.clean_up(everything=True)
            await self._client.close()

    async def _poll(self) -> None:
        """Ask the server for its versions, and test the newest one that isn't in use or refused."""
        started = time.monotonic()
        try:
            versions = await list_versions(self._client, self._model)
        except InferenceServerException as error:
            # After a longer time this process itself was too busy to read the answer.
            if time.monotonic() - started < STALLED_FACTOR * ANSWER_TIMEOUT_S:
                self._on_no_answer(error)
            return
        self._breaker.record_answer()
        self.refused_until = {version: until for version, until in self.refused_until.items() if version in versions}
        current = int(self.replica.ref.version) if self.replica and self.state is EndpointState.UP else None
        if self._breaker.is_open and not self._breaker.allows_test:
            return
        for version in versions:
            if version == current:
                return
            if self.refused_until.get(version, 0.0) <= time.monotonic() and await self._test(version):
                return
        if self.state is EndpointState.UP and current not in versions:
            self._set_down(EndpointState.DOWN, f"none of its versions can be used: {versions or 'there are none'}")

    def _on_no_answer(self, error: InferenceServerException) -> None:
        """Update the state after a poll or a test failed: the server is down, or doesn't answer in time."""
        failure = classify(error)
        if failure.kind is not FailureKind.TIMED_OUT:
            self.refused_until.clear()
            self._set_down(EndpointState.DOWN, str(failure))
            return
        self._breaker.record_missed_answer()
        if self._breaker.is_open:
            self._set_down(EndpointState.CIRCUIT_OPEN, "it does not answer")

    async def _test(self, version: int) -> bool:
        """Test a version, and use it if it passes; the version in use goes on running meanwhile."""
        if self.state is not EndpointState.UP:
            self.state = EndpointState.TESTING
        try:
            served = await describe_version(self._client, self.address, self._model, version)
            if not self._accepts(served.info):
                raise ModelError("it takes other canvases, or lacks an output of those in use; restart hiseg to use it")
            if self.state is EndpointState.TESTING:
                await self._pool.open()
            replica = Replica(self._client, served, self._pool)
            # All at once, so that each instance of the model gets one: some of them may be dead.
            tests = [self._self_test(ReplicaEngine(replica)) for _ in range(served.instances)]
            async with asyncio.timeout(SELF_TEST_S):
                for outcome in await asyncio.gather(*tests, return_exceptions=True):
                    if outcome is not None:
                        raise outcome
        except InferenceServerException as error:
            self._on_no_answer(error)
            self._end_test()
            return False
        except Exception as error:
            self._on_test_failed(version, error)
            self._end_test()
            return False
        self._breaker.close()
        self.replica, self.state = replica, EndpointState.UP
        self._log_once(f"runs {self._model}, version {version}")
        self._changed()
        return True

    def _on_test_failed(self, version: int, error: Exception) -> None:
        """Open the breaker or refuse the version, by what the failure says of the server and of the version."""
        kind = error.kind if isinstance(error, CallFailed) else None
        if isinstance(error, TimeoutError):
            kind = FailureKind.TIMED_OUT
        if kind is FailureKind.UNAVAILABLE:
            self._set_down(EndpointState.DOWN, str(error))
            return
        may_pass = kind in (FailureKind.TIMED_OUT, FailureKind.QUEUE_FULL, FailureKind.UNHEALTHY)
        if may_pass and self.state is EndpointState.TESTING:
            self._breaker.trip()
        else:
            self.refused_until[version] = time.monotonic() + RETEST_S if may_pass else math.inf
        why = error if str(error) else type(error).__name__
        log.error("Triton %s: version %d of %s is not used: %s", self.address, version, self._model, why)

    def _end_test(self) -> None:
        if self.state is EndpointState.TESTING:
            self.state = EndpointState.CIRCUIT_OPEN if self._breaker.is_open else EndpointState.DOWN

    def _record_failure(self, failure: CallFailed, took_s: float, cost_ms: float) -> None:
        self.failures += 1
        if failure.kind is FailureKind.UNAVAILABLE:
            self._set_down(EndpointState.DOWN, str(failure))
            self._wake.set()
        elif failure.kind is FailureKind.UNHEALTHY:
            self._breaker.trip()
        elif failure.kind is FailureKind.MODEL_ERROR or (
            failure.kind is FailureKind.TIMED_OUT and self._is_slow(took_s, cost_ms)
        ):
            self._breaker.record_failure()
        self._sync_breaker()

    def _sync_breaker(self) -> None:
        """Take the server out of use if its breaker has opened."""
        if self._breaker.is_open and self.state is EndpointState.UP:
            self._set_down(EndpointState.CIRCUIT_OPEN, "its batches fail, or take too long")

    def _is_slow(self, took_s: float, cost_ms: float) -> bool:
        return took_s > max(SLOW_S, SLOW_FACTOR * cost_ms / 1000)

    def _set_down(self, state: EndpointState, why: str, lost: bool = True) -> None:
        """Leave the state UP for ``state``; ``lost`` says that the server may have lost its shared memory as well."""
        was_up = self.state is EndpointState.UP
        self.state = state
        if was_up:
            self._log_once(f"{state}: {why}")
            if lost:
                self._pool.invalidate()
            self._changed()

    def _log_once(self, text: str) -> None:
        if text != self._last_logged:
            self._last_logged = text
            log.info("Triton %s: %s", self.address, text)
