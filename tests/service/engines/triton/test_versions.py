"""Models are unloaded, reloaded and replaced while the engine runs, without a wrong result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.triton.engine import engine_on, until
from benchmarks.harness.triton.models import add_version, copy_of_ours, other_masks, targets_of
from benchmarks.harness.triton.server import Control, Triton, triton
from hiseg.core.errors import Unavailable
from hiseg.engines.triton.engine import TritonEngine
from tests.service.engines.test_onnx import batch

WORK = batch((384, 640), 1, 2)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Triton]]:
    """A repository of the test's own, and a server that loads what it is told to."""
    repository = copy_of_ours(tmp_path)
    with triton(repository, Control.EXPLICIT) as server:
        yield repository, server


class Asking:
    """One caller that asks all the time, and holds each answer against the first."""

    def __init__(self, engine: TritonEngine) -> None:
        self.engine = engine
        self.versions: list[str] = []
        self.refused = 0
        self.over = False

    async def __aenter__(self) -> Asking:
        self.first = await self.engine.infer(WORK)
        self.task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over = True
        await self.task

    async def _ask(self) -> None:
        while not self.over:
            try:
                made = await self.engine.infer(WORK)
            except Unavailable:
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            np.testing.assert_array_equal(made.logit_margins > 0, self.first.logit_margins > 0)
            self.versions.append(made.model.version)

    async def answered_by(self, version: str, times: int = 3) -> None:
        goal = len(self.versions) + times
        await until(lambda: len(self.versions) >= goal and self.versions[-times:] == [version] * times)


def test_a_new_version_is_used_after_its_canary_and_a_broken_one_never(served: tuple[Path, Triton]) -> None:
    repository, server = served

    async def scenario() -> None:
        async with engine_on(targets_of(server), repository) as engine, Asking(engine) as asking:
            await asking.answered_by("1")
            add_version(repository, 2)
            assert (await asyncio.to_thread(server.load, "hiseg_b0")).status_code == 200
            await asking.answered_by("2")
            assert engine.info.ref.version == "2"
            # Loadable, of the right form, and wrong: the canary image's masks are others.
            add_version(repository, 3, other_masks())
            assert (await asyncio.to_thread(server.load, "hiseg_b0")).status_code == 200
            (endpoint,) = engine.endpoints.values()
            await until(lambda: 3 in endpoint.refused_until)
            await asking.answered_by("2")
            # Not even loadable: Triton itself keeps what it has.
            add_version(repository, 4, b"not a model")
            await asyncio.to_thread(server.load, "hiseg_b0")
            await asking.answered_by("2")
        assert set(asking.versions) == {"1", "2"}
        assert asking.refused == 0

    asyncio.run(scenario())


def test_requests_are_refused_while_the_model_is_unloaded_and_answered_after_its_reload(
    served: tuple[Path, Triton],
) -> None:
    repository, server = served

    async def scenario() -> None:
        async with engine_on(targets_of(server), repository) as engine, Asking(engine) as asking:
            await asking.answered_by("1")
            await asyncio.to_thread(server.unload, "hiseg_b0")
            await until(lambda: asking.refused)
            assert engine.slots == 0
            await asyncio.to_thread(server.load, "hiseg_b0")
            await asking.answered_by("1")
            assert engine.slots == 1

    asyncio.run(scenario())


def test_without_a_canary_a_version_must_give_rows_of_the_right_shape(served: tuple[Path, Triton]) -> None:
    repository, server = served

    async def scenario() -> None:
        async with engine_on(targets_of(server), Path("/nonexistent")) as engine, Asking(engine) as asking:
            add_version(repository, 2)
            assert (await asyncio.to_thread(server.load, "hiseg_b0")).status_code == 200
            await asking.answered_by("2")

    asyncio.run(scenario())


def test_a_server_that_keeps_one_version_only_is_followed(served: tuple[Path, Triton]) -> None:
    """The old version goes when the new one comes, so a moment without either can't be helped."""
    repository, server = served
    for config in repository.rglob("*.pbtxt"):
        config.write_text(config.read_text().replace("num_versions: 2", "num_versions: 1"))

    async def scenario() -> None:
        async with engine_on(targets_of(server), repository) as engine, Asking(engine) as asking:
            await asking.answered_by("1")
            add_version(repository, 2)
            assert (await asyncio.to_thread(server.load, "hiseg_b0")).status_code == 200
            await asking.answered_by("2", times=10)

    asyncio.run(scenario())
