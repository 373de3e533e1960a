"""Runs a real Triton in a process group of its own, which can be killed, paused and restarted on the same ports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import httpx

from benchmarks.harness.ports import free_ports
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.triton.environment import SERVER, lay_out_backends, need_triton, variables

SHARED_MEMORY = Path("/dev/shm")
START_SECONDS = 60


class Control(StrEnum):
    """How the server comes to its models."""

    NONE = "none"
    """All of the repository, at the start."""
    POLL = "poll"
    """It looks at the repository every second."""
    EXPLICIT = "explicit"
    """All at the start; then by :meth:`Triton.load` and :meth:`Triton.unload`."""


class Triton:
    """One server on 127.0.0.1.

    Attributes:
        repository: its models.
        http, grpc, metrics: its ports, the same after each start.
        process: the latest one.
    """

    def __init__(
        self,
        folder: Path,
        repository: Path = REPOSITORY,
        control: Control = Control.NONE,
        threads: int = 1,
        complete: bool = False,
        arguments: Sequence[str] = (),
        within: Sequence[str] = (),
    ) -> None:
        """Prepare it.

        Args:
            folder: an empty one, for its log and its backends.
            repository: as the server is to find it.
            control: how it comes to its models.
            threads: of each instance of the stand-in for the ONNX backend, where the configuration names none.
            complete: what configurations leave out is taken from the files, which makes starting slower.
            arguments: more of the server's own.
            within: a command that runs the one after it, in surroundings of its making.
        """
        self.repository = repository
        self.http, self.grpc, self.metrics = free_ports(3)
        self._log = folder / "log"
        self._region = f"hiseg-test-{uuid.uuid4().hex[:12]}-"
        self._variables = variables() | {"STAND_IN_THREADS": str(threads), "OMP_NUM_THREADS": "1"}
        backends = folder / "backends"
        lay_out_backends(backends)
        self._command = [
            *within,
            str(SERVER / "bin" / "tritonserver"),
            *(f"--model-repository={repository}", f"--backend-directory={backends}"),
            *(f"--{service}-address=127.0.0.1" for service in ("http", "grpc", "metrics")),
            *(f"--http-port={self.http}", f"--grpc-port={self.grpc}", f"--metrics-port={self.metrics}"),
            *("--allow-gpu-metrics=false", "--cuda-memory-pool-byte-size=0:0", "--pinned-memory-pool-byte-size=0"),
            *(
                ["--model-config-name=cpu"]
                if complete
                else ["--model-config-name=cpu", "--disable-auto-complete-config"]
            ),
            f"--backend-config=python,shm-region-prefix-name={self._region}",
            *(f"--model-control-mode={control}", *CONTROL_ARGUMENTS[control]),
            *arguments,
        ]

    @property
    def address(self) -> str:
        """Host and port of gRPC."""
        return f"127.0.0.1:{self.grpc}"

    @property
    def regions(self) -> set[str]:
        """Names of the shared memory that it holds; other servers may be up at the same time."""
        return {path.name for path in SHARED_MEMORY.glob(f"{self._region}*")}

    @property
    def url(self) -> str:
        """Of HTTP."""
        return f"http://127.0.0.1:{self.http}"

    @property
    def log(self) -> str:
        """What it wrote, since it was first started."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, on the same ports as before, and wait until it is ready."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until all its models are ready and it answers.

        Raises:
            RuntimeError: it did not start; its log is in the message.
        """
        for _ in range(START_SECONDS * 50):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/v2/health/ready", timeout=5).status_code == 200:
                    return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"Triton did not start: {' '.join(self._command)}\n{self.log[-8000:]}")

    def kill(self) -> None:
        """``kill -9``, together with its stubs, as when a container or a machine goes; nothing of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._clean()

    def terminate(self) -> None:
        """Send SIGTERM, and don't wait: it first ends what it has begun."""
        self.process.terminate()

    def wait_until_ended(self, seconds: float = 40) -> int:
        """Wait for the end after :meth:`terminate`; its exit code."""
        code = self.process.wait(seconds)
        self.kill()
        return code

    def pause(self) -> None:
        """Stop its time: connections stay open and nothing answers, as when a machine hangs."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def load(self, model: str) -> httpx.Response:
        """Load or reload a model; with explicit control only."""
        return httpx.post(f"{self.url}/v2/repository/models/{model}/load", timeout=60)

    def unload(self, model: str) -> httpx.Response:
        """Unload a model; with explicit control only."""
        return httpx.post(f"{self.url}/v2/repository/models/{model}/unload", timeout=60)

    def _clean(self) -> None:
        for region in SHARED_MEMORY.glob(f"{self._region}*"):
            region.unlink(missing_ok=True)


CONTROL_ARGUMENTS = {
    Control.NONE: (),
    Control.POLL: ("--repository-poll-secs=1",),
    Control.EXPLICIT: ("--load-model=*",),
}


@contextmanager
def triton(
    repository: Path = REPOSITORY,
    control: Control = Control.NONE,
    threads: int = 1,
    complete: bool = False,
    arguments: Sequence[str] = (),
    within: Sequence[str] = (),
) -> Iterator[Triton]:
    """A running, ready server; gone at the end of the block. The arguments are those of :class:`Triton`.

    Skips the test where the real server can't be had.
    """
    need_triton()
    with tempfile.TemporaryDirectory(prefix="hiseg-triton-") as folder:
        server = Triton(Path(folder), repository, control, threads, complete, arguments, within)
        server.start()
        try:
            yield server
        finally:
            server.kill()
