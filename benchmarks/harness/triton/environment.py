"""Paths of the real Triton that the Makefile installs, and the environment that its process needs."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT

ENVIRONMENT = ROOT / ".venv-triton"
MARKER = ENVIRONMENT / ".ready"
PACKAGES = ENVIRONMENT / "lib" / "python3.11" / "site-packages"
LIBRARIES = PACKAGES / "nvidia_pytriton.libs"
SERVER = PACKAGES / "pytriton" / "tritonserver"
STAND_INS = Path(__file__).with_name("backend")


@cache
def _absence() -> str | None:
    """What keeps the server from running here, in words."""
    if not MARKER.exists():
        return f"there is no Triton in {ENVIRONMENT}; `make setup` puts it there, from PyPI"
    if not any((folder / _interpreter()[1]).exists() for folder in _library_folders()) and not _known_to_the_system():
        return f"Triton's Python backend needs {_interpreter()[1]}, and this Python has none"
    return None


@cache
def _interpreter() -> tuple[Path, str]:
    """The folder and the name of the shared library of the environment's Python."""
    ask = "import sysconfig; print(*sysconfig.get_config_vars('LIBDIR', 'INSTSONAME'))"
    done = subprocess.run([ENVIRONMENT / "bin" / "python", "-c", ask], check=True, capture_output=True, text=True)
    folder, name = done.stdout.split()
    return Path(folder), name


def _known_to_the_system() -> bool:
    return ctypes.util.find_library("python3.11") is not None


def _library_folders() -> list[Path]:
    return [LIBRARIES, _interpreter()[0]]


def need_triton() -> None:
    """Skip the test that asks where the real server can't be had; fail it in CI."""
    if reason := _absence():
        missing(reason)


def variables() -> dict[str, str]:
    """Environment variables of the server and of programs that are linked like it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HISEG_"))}
    return kept | {
        "LD_LIBRARY_PATH": ":".join(map(str, _library_folders())),
        # The Python stub takes the site-packages of the first python3 on the path.
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
    }


def lay_out_backends(folder: Path) -> None:
    """Fill a backend directory: NVIDIA's Python backend, and our stand-ins. Copies, since links are refused."""
    shutil.copytree(SERVER / "backends" / "python", folder / "python", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SERVER / "python_backend_stubs" / "3.11" / "triton_python_backend_stub", folder / "python")
    shutil.copytree(STAND_INS, folder, dirs_exist_ok=True)
