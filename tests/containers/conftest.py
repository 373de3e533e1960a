"""The engine, the images and the report that all tests with containers share."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Iterator

import pytest

from benchmarks.harness.availability import missing
from tests.containers import images, place
from tests.containers.composition import Composition
from tests.containers.engine import Engine, engine
from tests.docker.load import small

NEXT = "next"
"""The version that is upgraded to: the same service under another name."""


def _report(config: pytest.Config, line: str) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    assert terminal is not None
    assert capture is not None
    with capture.global_and_fixture_disabled():
        terminal.ensure_newline()
        terminal.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Writes what a step came to, whether or not it passes."""
    return lambda words: _report(request.config, f"{request.node.name.removeprefix('test_')}: {words}")


@pytest.fixture(scope="session")
def docker(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A running engine with the images that others make, or a skip that says what is in the way."""
    here = place.Machine.here()
    if obstacle := here.obstacle():
        if not here.root:  # which is nobody's mistake, in CI neither
            raise unittest.SkipTest(f"no containers: {obstacle}")  # told in one line, unlike pytest's own
        missing(f"no containers: {obstacle}")
    folder, start = place.cache(), time.monotonic()
    with place.reserved(folder), engine(place.fetch_engine(folder), folder / "data") as running:
        images.make_stand_ins(running, folder)
        _report(request.config, f"engine and base images: {time.monotonic() - start:.0f} s")
        yield running


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest, docker: Engine) -> Engine:
    """The engine with the project's own images, too, and one to upgrade to."""
    start = time.monotonic()
    Composition(docker).compose("--profile", "load", "build", seconds=images.BUILD_SECONDS)
    name = images.official_names()["service"]
    docker.docker("build", "--tag", f"{name.partition(':')[0]}:{NEXT}", "-", given=f"FROM {name}\nLABEL upgraded=yes\n")
    listed = docker.docker("images", "--filter", "reference=hiseg-*", "--format", "{{.Repository}} {{.Size}}")
    sizes = ", ".join(sorted(set(listed.splitlines())))
    _report(request.config, f"the project's images: {time.monotonic() - start:.0f} s; {sizes}")
    return docker


@pytest.fixture
def picture(photo: bytes) -> bytes:
    """A photo that costs next to nothing."""
    return small(photo)
