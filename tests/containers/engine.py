"""A Docker engine of these tests' own: its own socket, data, bridge and addresses, gone when the tests end.

What a run changes of the machine is written down first, in a folder of a fixed name. It is brought back when the run
ends, or by the next one if that was killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.availability import missing

FOLDER = Path("/run/hiseg-tests")
"""Of the running engine, and of the firewall as it was before; the machine forgets it, as it forgets its rules."""
TABLES = ("filter", "nat", "mangle")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "hisegtests"
BRIDGE_ADDRESS = "172.30.0.1/24"
POOL = "base=172.29.0.0/16,size=24"
"""Addresses of the networks that compositions make."""
START_SECONDS = 60
STOP_SECONDS = 60
KEPT_BUILDS = "6GB"
"""Of what builds made, kept for the next run."""


class DockerError(RuntimeError):
    """A command of Docker's that failed; the message is the command with all that it printed."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine.

    Attributes:
        socket: where it listens.
        programs: folder of ``docker`` and its plugins.
    """

    socket: Path
    programs: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which ``docker`` asks this engine, and no variable of the composition's."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{self.programs}:{os.environ['PATH']}"
        return kept | {"PATH": path, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.programs)}

    def docker(
        self,
        *arguments: str | Path,
        seconds: float = 300,
        given: bytes | str | None = None,
        folder: Path | None = None,
        **variables: str,
    ) -> str:
        """What ``docker ARGUMENTS`` prints.

        Args:
            arguments: of the command.
            seconds: after which it has failed.
            given: standard input.
            folder: in which it runs.
            variables: more of the environment.

        Raises:
            DockerError: it failed.
        """
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env=self.environment | variables,
            cwd=folder,
            input=given.encode() if isinstance(given, str) else given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            words = (done.stdout + done.stderr).decode(errors="replace")
            raise DockerError(f"docker {' '.join(map(str, arguments))}: {done.returncode}\n{words}")
        return done.stdout.decode()

    @contextmanager
    def exits(self, label: str) -> Iterator[Counter[str]]:
        """How often containers ended with which exit code, complete after the block.

        Args:
            label: of containers, with the name of their service.

        Returns:
            Counts of ``SERVICE CODE``; containers without the label don't count.
        """
        codes: Counter[str] = Counter()
        since = time.time()
        try:
            yield codes
        finally:
            form = f'{{{{index .Actor.Attributes "{label}"}}}} {{{{.Actor.Attributes.exitCode}}}}'
            when = ("--since", f"{since:.3f}", "--until", f"{time.time():.3f}")
            lines = self.docker("events", *when, "--filter", "event=die", "--format", form).splitlines()
            codes.update(line for line in lines if line.split(" ")[0] not in ("", "<no"))

    def remove_everything(self) -> None:
        """Containers, networks and volumes go; images and what builds made stay for the next run."""
        if "active" in self.docker("info", "--format", "{{.Swarm.LocalNodeState}}").split():
            self.docker("swarm", "leave", "--force")
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("network", "prune", "--force")
        self.docker("volume", "prune", "--all", "--force")


@contextmanager
def engine(programs: Path, data: Path) -> Iterator[Engine]:
    """An engine until the end of the block, with nothing in it but the images of earlier runs; or a skip.

    SIGTERM ends the block as Ctrl-C does. If this process is killed the kernel sends the engine SIGTERM, and it takes
    its containers with it, but perhaps for one that was just starting. The next run ends what is left, and brings back
    the firewall.

    Args:
        programs: folder with the engine and its plugins.
        data: folder of its images.
    """
    _end_leftovers(programs)
    with _ended_by_sigterm(), _same_machine() as folder:
        (folder / "daemon.json").write_text("{}")
        command = [
            # Mounts of containers are seen by the engine alone, and end with it.
            *("setpriv", "--pdeathsig", "TERM", "unshare", "--mount", programs / "dockerd"),
            *("--host", f"unix://{folder}/socket", "--data-root", data, "--exec-root", folder / "exec"),
            *("--pidfile", folder / "pid", "--config-file", folder / "daemon.json"),
            *("--bridge", BRIDGE, "--default-address-pool", POOL, "--mtu", str(_mtu())),
            *("--userland-proxy-path", programs / "docker-proxy"),
        ]
        with (folder / "log").open("wb") as log:
            path = f"{programs}:{os.environ['PATH']}"
            process = subprocess.Popen(
                command, env=os.environ | {"PATH": path}, stdout=log, stderr=log, start_new_session=True
            )
        made = Engine(folder / "socket", programs)
        try:
            _wait_until_it_answers(made, process, folder / "log")
            made.remove_everything()
            try:
                yield made
            finally:
                made.remove_everything()
                made.docker("builder", "prune", "--force", "--keep-storage", KEPT_BUILDS)
        finally:
            _stop(process)


def _wait_until_it_answers(made: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(START_SECONDS * 5):
        try:
            made.docker("info")
            return
        except DockerError:
            if process.poll() is not None:
                break
        time.sleep(0.2)
    missing(f"the Docker engine doesn't start: {' '.join(log.read_text().splitlines()[-2:])}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_leftovers(programs: Path) -> None:
    """End the engine of an earlier run, if it still ends, and containers: those whose parent is one of our programs."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (process / "exe").readlink().parent == programs:
                for child in (process / "task" / process.name / "children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Within the block SIGTERM raises KeyboardInterrupt, so that what was started is ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt("SIGTERM")

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _mtu() -> int:
    """Bytes of a packet of the interface to the outside; a larger one of a container's might be lost on its way."""
    routes = subprocess.check_output(["ip", "route", "show", "default"], text=True).split()
    interface = routes[routes.index("dev") + 1] if "dev" in routes else "lo"
    return min(1500, int(Path(f"/sys/class/net/{interface}/mtu").read_text()))


@contextmanager
def _same_machine() -> Iterator[Path]:
    """The engine's folder and bridge; without them, and with firewall and forwarding as they were, afterwards."""
    _restore_machine()  # as a killed run found it
    FOLDER.mkdir(mode=0o700)
    (FOLDER / "forwarding").write_text(FORWARDING.read_text())
    rules = "".join(subprocess.check_output(["iptables-save", "-t", table], text=True) for table in TABLES)
    (FOLDER / "rules.part").write_text(rules)
    (FOLDER / "rules.part").rename(FOLDER / "rules")
    try:
        # The network interface of builds and of containers without a network of their own.
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", BRIDGE_ADDRESS, "dev", BRIDGE], check=True)
        yield FOLDER
    finally:
        _restore_machine()


def _restore_machine() -> None:
    if (FOLDER / "rules").exists():  # else nothing has been changed yet
        subprocess.run(["iptables-restore", FOLDER / "rules"], check=False)
        FORWARDING.write_text((FOLDER / "forwarding").read_text())
    subprocess.run(["ip", "link", "delete", BRIDGE], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
