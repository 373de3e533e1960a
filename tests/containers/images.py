"""Images without an image registry: stand-ins under the official names, made of one folder of Debian 12.

What stands for what: Debian's Python 3.11, HAProxy 2.6 and Prometheus 2.42 for the official images of those versions;
PyPI's Triton with the tests' stand-in for its ONNX backend for NVIDIA's; a port that answers 200 for Grafana. Users,
folders, entrypoints and stop signals are the official ones. The project's Dockerfiles are built as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from tests.containers.engine import DockerError, Engine
from tests.containers.place import mirror, run_or_skip

RELEASE = "bookworm"
DEBIAN = "hiseg-tests/bookworm"
PACKAGES = "ca-certificates,netbase,tzdata,python3.11,python3.11-venv,python3-pip,libpython3.11,haproxy,prometheus,wget"
PYTHON = "python:3.11-slim-bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP = "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ntimeout = 180\n"
STAND_INS = Path(__file__).with_name("stand_ins")
HARNESS = ROOT / "benchmarks" / "harness" / "triton"
BUILD_SECONDS = 900
WITH_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def official_names() -> Mapping[str, str]:
    """The image of each of the composition's services."""
    text = WITH_DEFAULT.sub(r"\1", (ROOT / "docker-compose.yml").read_text())
    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return {name: service["image"] for name, service in services.items()}


def make_stand_ins(engine: Engine, folder: Path) -> None:
    """All images that others make, but for Triton's; or a skip if Debian's packages or PyPI can't be reached.

    Args:
        engine: gets them; what it has already is not made again.
        folder: keeps Debian's files between runs.
    """
    if not engine.docker("images", "--quiet", DEBIAN):
        _import_debian(engine, folder / RELEASE)
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        shutil.copytree(STAND_INS / "python", context, dirs_exist_ok=True)
        shutil.copy(CERTIFICATES, context)
        (context / "pip.conf").write_text(PIP)
        build(engine, context, PYTHON)
    images = official_names()
    build(engine, STAND_INS / "haproxy", images["loadbalancer"])
    build(engine, STAND_INS / "prometheus", images["prometheus"])
    build(engine, STAND_INS / "placeholder", images["grafana"])
    try:
        engine.docker("run", "--rm", PYTHON, "pip", "download", "--quiet", "--no-deps", "--dest", "/tmp", "hatchling")
    except DockerError as error:
        missing(f"containers can't reach PyPI: {' '.join(str(error).split())[-300:]}")


def make_triton(engine: Engine) -> None:
    """NVIDIA's image of the server, of what PyPI has of it."""
    build(engine, STAND_INS / "triton", official_names()["triton"], "--build-context", f"harness={HARNESS}")


def build(engine: Engine, context: Path, tag: str, *arguments: str) -> None:
    """Build one image."""
    engine.docker("buildx", "build", "--quiet", "--tag", tag, *arguments, context, seconds=BUILD_SECONDS)


def _import_debian(engine: Engine, root: Path) -> None:
    if not root.exists():
        part = root.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, part, mirror()]
        # Half the time of it: nothing has to survive a loss of power. The others are dpkg's own.
        run_or_skip(command, "a folder of Debian", DPKG_FORCE="unsafe-io,security-mac,downgrade")
        part.rename(root)
    pack = ["tar", "-C", root, "--numeric-owner", "--exclude=./var/cache/apt", "--exclude=./var/lib/apt", "-c", "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            ["docker", "import", "--change", f"ENV {path}", "-", DEBIAN],
            env=engine.environment,
            stdin=packing.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or packing.returncode:
        raise DockerError(f"docker import: {done.stderr}")
