"""A call to a server that is cancelled is cancelled once, whatever it does then. No real server is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from hiseg.core.result import ModelRef
from hiseg.engines.base import Batch, Prediction
from hiseg.engines.triton.endpoint import Endpoint
from hiseg.engines.triton.failures import CallFailed, FailureKind
from hiseg.observability.reports import EndpointState

BATCH = Batch(np.zeros((1, 3, 8, 8), np.uint8), np.zeros((0, 5), np.float32))


class Replica:
    """In place of a version on a server, so that a batch can be held up at any point."""

    ref = ModelRef("echo", "1", "b0")

    def __init__(self, run: Callable[[], Awaitable[Prediction]], *, gives: bool = True) -> None:
        self._run = run
        self._gives = gives

    def gives(self, batch: Batch) -> bool:
        return self._gives

    async def infer(self, batch: Batch) -> Prediction:
        return await self._run()


def endpoint(run: Callable[[], Awaitable[Any]]) -> Endpoint:
    async def no_test(engine: object) -> None:
        raise AssertionError("nothing is tried here")

    found = Endpoint("127.0.0.1:1", "echo", lambda info: True, no_test, lambda: None)
    found.replica, found.state = Replica(run), EndpointState.UP  # type: ignore[assignment]
    return found


async def for_ever() -> None:
    await asyncio.sleep(3600)


def test_a_call_cancelled_twice_while_it_ends_is_cancelled_once() -> None:
    async def slow_to_end() -> None:
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        silent = endpoint(slow_to_end)
        run = asyncio.create_task(silent.infer(BATCH))
        await asyncio.sleep(0)
        for _ in range(3):
            silent.cancel_calls()
            await asyncio.sleep(0)
        with pytest.raises(CallFailed) as raised:
            await run
        assert (raised.value.kind, silent.in_flight) == (FailureKind.UNRESPONSIVE, 0)

    asyncio.run(scenario())


def test_given_up_while_it_runs_again_on_the_version_that_came_instead() -> None:
    async def scenario() -> None:
        async def gone() -> None:
            silent.replica = Replica(for_ever)  # type: ignore[assignment,arg-type]
            raise CallFailed(FailureKind.UNAVAILABLE, "there is no such version")

        silent = endpoint(gone)
        run = asyncio.create_task(silent.infer(BATCH))
        await asyncio.sleep(0.01)
        silent.cancel_calls()
        with pytest.raises(CallFailed) as raised:
            await run
        assert raised.value.kind is FailureKind.UNRESPONSIVE

    asyncio.run(scenario())


def test_a_version_without_what_is_requested_is_not_asked_for_it() -> None:
    async def scenario() -> None:
        async def gone() -> None:
            server.replica = Replica(for_ever, gives=False)  # type: ignore[assignment,arg-type]
            raise CallFailed(FailureKind.UNAVAILABLE, "there is no such version")

        server = endpoint(gone)
        with pytest.raises(CallFailed, match="there is no such version"):
            await server.infer(BATCH)

    asyncio.run(scenario())
