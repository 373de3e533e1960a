"""Fixtures that several folders share: the sample photo, a real service, a real Triton, environments of other tools."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT, SAMPLE

if TYPE_CHECKING:
    from benchmarks.harness.serving import Server
    from benchmarks.harness.triton.server import Triton

# No test asserts a time, and a machine that is busy with something else must not fail one.
hypothesis.settings.register_profile("hiseg", deadline=None)
# HYPOTHESIS_PROFILE=nightly: where there is time, random schedules of the batcher by the thousand.
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hiseg"))

# Python looks for garbage after every 700 new objects, now and then through all of the million that torch and others
# leave, which took a tenth of the tests' time. Here it looks at what a file of tests left, when that file is done.
gc.set_threshold(50_000, 20, 50)

TOOLS = ROOT / ".venv-tools"
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "person_seg"
"""Where tests look for photographs unless ``HISEG_DATA`` names their folder."""


def pytest_collection_finish() -> None:
    """Take what was imported for all tests out of the search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_garbage_at_the_end() -> Iterator[None]:
    """Find what fixtures of the session left open: pytest makes an error of it in the last test's teardown."""
    yield
    gc.unfreeze()
    gc.collect()


@pytest.fixture(scope="module", autouse=True)
def no_garbage() -> Iterator[None]:
    """Find what a file of tests left open: pytest makes an error of it in the teardown of the file's last test."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photographs, or a skip that says where it was looked for."""
    from hiseg_training.data.coco import ENVIRONMENT

    root = Path(os.environ.get(ENVIRONMENT, PHOTOGRAPHS))
    if not (root / "annotations").is_dir():
        pytest.skip(f"no data in {root}; set {ENVIRONMENT}")
    return root


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running service for all tests that leave it as it was."""
    from benchmarks.harness.serving import serving

    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    """An HTTP client of the running service."""
    with httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


@pytest.fixture(scope="session")
def photo() -> bytes:
    """The sample photo, encoded."""
    return SAMPLE.read_bytes()


@pytest.fixture(scope="session")
def triton_server() -> Iterator[Triton]:
    """NVIDIA's server with the project's repository, for all tests that leave it as it was."""
    from benchmarks.harness.triton.server import triton

    with triton() as running:
        yield running


@pytest.fixture(scope="session")
def tools() -> Callable[..., str]:
    """Runs other people's tools, which have an environment of their own; a skip where `make test` couldn't make it.

    Call it with a script of `tests/tools` and its arguments, or with arguments for Python; it returns what was printed.
    """
    if not (TOOLS / ".full").exists():
        missing(f"there is no {TOOLS}; `make test` makes it")

    def run(script: str, *arguments: object, cwd: Path = ROOT, **variables: str) -> str:
        first = [ROOT / "tests" / "tools" / script] if script.endswith(".py") else [script]
        done = subprocess.run(
            [TOOLS / "bin" / "python", *first, *map(str, arguments)],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT}"} | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run
