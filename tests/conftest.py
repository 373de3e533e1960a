"""Fixtures that several folders share: the sample photo, the repository's models, a real running service."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
import hypothesis
import pytest

from hiseg.models.repository import stored_versions

if TYPE_CHECKING:
    from tests.triton.server import Triton

# No test asserts a time, and a machine that is busy with something else must not fail one.
hypothesis.settings.register_profile("hiseg", deadline=None)
hypothesis.settings.load_profile("hiseg")

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "model_repository"


def _b0_as_version_1() -> Path:
    """The published B0 alone, as version 1: tests that add versions and models needn't know what is published."""
    newest = stored_versions(PUBLISHED)["hiseg_b0"][0].path.parent
    repository = Path(tempfile.mkdtemp(prefix="hiseg-models-"))
    atexit.register(shutil.rmtree, repository, ignore_errors=True)
    shutil.copytree(newest.parent, repository / "hiseg_b0", ignore=shutil.ignore_patterns("[0-9]*"))
    shutil.copytree(newest, repository / "hiseg_b0" / "1", ignore=shutil.ignore_patterns("*.pth"))
    return repository


REPOSITORY = _b0_as_version_1()
HISEG = Path(sys.executable).with_name("hiseg")
SAMPLE = ROOT / "docs" / "samples" / "people.jpg"
SERVE: tuple[str | Path, ...] = (HISEG, "serve", "--port", "0", "--grpc-port", "0", "--repository", REPOSITORY)
TOOLS = ROOT / ".venv-tools"
SAMPLE_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]


def missing(reason: str) -> NoReturn:
    """Skip; but not where everything that is needed must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photographs, or a skip that says where it was looked for."""
    from hiseg_training.data.coco import DEFAULT_ROOT, ENVIRONMENT

    root = Path(os.environ.get(ENVIRONMENT, ROOT / DEFAULT_ROOT))
    if not (root / "annotations").is_dir():
        pytest.skip(f"no data in {root}; set {ENVIRONMENT}")
    return root


@dataclass
class Server:
    """A `hiseg serve` process."""

    url: str
    grpc: str
    process: subprocess.Popen[str]


@contextmanager
def serving(command: Sequence[str | Path] = SERVE, code: int = 0, **settings: object) -> Iterator[Server]:
    """The real service in a process of its own, on a free port, ready; stopped at the end unless it has ended.

    Args:
        command: what starts it.
        code: what it must exit with.
        settings: `HISEG_*` variables, in lower case and without the prefix.
    """
    variables = os.environ | {f"HISEG_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=variables)
    assert process.stderr is not None
    log = []
    for line in process.stderr:
        log.append(line)
        if {"Ready", "running on http"} <= set(re.findall("Ready|running on http", "".join(log))):
            break
    url = re.search(r"running on (https?://[\d.:]+)", "".join(log))
    grpc = re.search(r"gRPC running on ([\d.:]+)", "".join(log))
    if url is None or grpc is None or process.poll() is not None:
        pytest.fail("the service did not start:\n" + "".join(log))
    try:
        yield Server(url[1], f"grpc://{grpc[1]}", process)
    finally:
        if process.poll() is None:
            process.terminate()
        ended = process.wait(30)
        process.stderr.close()
        assert ended == code, f"the service ended with {ended}"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running service for all tests that leave it as it was."""
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
    from tests.triton.server import triton

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
