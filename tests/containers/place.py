"""Decides whether a Docker engine can be had here, and fetches its programs from Debian's packages.

The engine is unpacked, not installed: it lies in the user's cache folder, and nothing else of the machine uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.availability import missing

PROGRAMS = ("apt-get", "debootstrap", "dpkg-deb", "ip", "iptables", "iptables-restore", "runc", "setpriv", "unshare")
"""Of the machine: what fetches the engine and what it starts. ``make test`` installs those that are rarely there."""
PACKAGES = ("containerd", "docker-buildx", "docker-cli", "docker-compose", "docker.io", "tini")
"""Of Debian 13: Engine 26.1, Compose 2.26 and Buildx 0.13. They need no library of that release."""
ENGINE = "engine"
"""The folder of its programs, in that of :func:`cache`."""
SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian/"


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters of the machine.

    Attributes:
        root: whether this user may do everything.
        system: ``Linux`` or another.
        distribution: ``ID`` of ``/etc/os-release``.
        programs: those of :data:`PROGRAMS` that are there.
        engines: whether a Docker engine runs here that isn't of these tests; what a killed run of theirs left is ended.
    """

    root: bool
    system: str
    distribution: str
    programs: frozenset[str]
    engines: bool

    @classmethod
    def here(cls) -> Machine:
        """This one."""
        release: Mapping[str, str] = {}
        with contextlib.suppress(OSError):
            release = platform.freedesktop_os_release()
        return cls(
            root=os.geteuid() == 0,
            system=platform.system(),
            distribution=release.get("ID", ""),
            programs=frozenset(name for name in PROGRAMS if shutil.which(name)),
            engines=any(program.parent != cache() / ENGINE for program in _running("dockerd")),
        )

    def obstacle(self) -> str | None:
        """Why no engine can be started, in one line, or None."""
        if self.system != "Linux" or self.distribution != "debian":
            return f"the engine comes from Debian's packages, and this is {self.distribution or self.system}"
        if not self.root:
            return "only root may start a Docker engine"
        if absent := sorted(set(PROGRAMS) - self.programs):
            return f"there is no {', '.join(absent)}; `make test` installs what it may"
        if self.engines:
            return "a Docker engine runs here, and a second one would overwrite its firewall rules"
        return None


def _running(program: str) -> Iterator[Path]:
    """The files of all running programs of this name."""
    found = subprocess.run(["pidof", program], capture_output=True, text=True, check=False)
    for process in found.stdout.split():
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            yield Path(f"/proc/{process}/exe").readlink()


def cache() -> Path:
    """The folder that is kept between runs; removing it costs the next run some minutes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hiseg" / "containers"


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """The folder for this run alone, or a skip while another run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            missing(f"another run of these tests uses {folder}")
        yield


def mirror() -> str:
    """Where this machine gets Debian's packages."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(SUITE)"], capture_output=True, text=True, check=False
    )
    return first_mirror(done.stdout.splitlines()) or MIRROR


def first_mirror(lines: Sequence[str]) -> str | None:
    """The first address of a whole Debian, of lines ``ADDRESS SUITE``; those of security updates are parts."""
    for line in lines:
        address = line.split()[0]
        if address.rstrip("/").endswith("/debian"):
            return address
    return None


def run_or_skip(command: Sequence[str | Path], what: str, **variables: str) -> None:
    """Run a command that needs the package registry; a skip with its last words if it fails twice."""
    for attempt in range(2):
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(2 - attempt)
    missing(f"{what} can't be fetched: {' '.join((done.stdout + done.stderr).split())[-300:]}")


def fetch_engine(folder: Path) -> Path:
    """The folder with the engine's programs, unpacked below ``folder`` unless they are there."""
    programs = folder / ENGINE
    if programs.exists():
        return programs
    with contextlib.ExitStack() as ends:
        work = folder / "packages"
        ends.callback(shutil.rmtree, work, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
        for name in ("lists/partial", "archives/partial", "debs", "unpacked"):
            (work / name).mkdir(parents=True)
        (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
        (work / "apt.conf").write_text(
            f'Dir::State "{work}";\nDir::State::status "/dev/null";\nDir::Cache "{work}";\n'
            f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
            'APT::Sandbox::User "root";\n'
        )
        apt = {"APT_CONFIG": str(work / "apt.conf")}
        run_or_skip(["apt-get", "-qq", "update"], "Debian's list of packages", **apt)
        command = ["sh", "-c", f"cd {work}/debs && apt-get -qq download {' '.join(PACKAGES)}"]
        run_or_skip(command, "the engine's packages", **apt)
        unpacked = work / "unpacked"
        for package in sorted((work / "debs").iterdir()):
            subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
        made = work / ENGINE
        shutil.move(unpacked / "usr" / "libexec" / "docker" / "cli-plugins", made / "cli-plugins")
        shutil.copytree(unpacked / "usr" / "bin", made, symlinks=True, dirs_exist_ok=True)
        shutil.copytree(unpacked / "usr" / "sbin", made, dirs_exist_ok=True)
        made.rename(programs)
    return programs
