"""The wheel has all files of the two packages and nothing that could collide with a user's own folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT

PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
SOURCES = {"hiseg": ROOT / "service" / "hiseg", "hiseg_training": ROOT / "training" / "hiseg_training"}
USERS_SCRIPT = """
import importlib.util
import service
from hiseg import AsyncClient, Client
import hiseg, hiseg_training
print(service.OWNER, Client.__module__, hiseg.__file__, importlib.util.find_spec("training"))
"""


def build_wheel(folder: Path, sources: Iterable[str]) -> Path:
    """Build the wheel from a copy of the project that has only these source folders; no network is needed."""
    project = folder / "project"
    project.mkdir()
    for name in PROJECT_FILES:
        shutil.copy(ROOT / name, project)
    for name in sources:
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder / "wheels")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, project], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "wheels").iterdir()
    return wheel


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def files_below(package: str) -> set[str]:
    source = SOURCES[package]
    found = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{package}/{path.relative_to(source).as_posix()}" for path in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("whole"), ("service", "training"))


def test_the_wheel_has_every_file_of_both_packages_and_nothing_else(wheel: Path) -> None:
    assert files_of(wheel) == files_below("hiseg") | files_below("hiseg_training")
    assert {
        "hiseg/py.typed",
        "hiseg/transports/http/playground/assets/index.html",
        "hiseg_training/provenance.toml",
        "hiseg_training/recipes/b0.toml",
    } <= files_of(wheel)


def test_the_images_without_training_get_the_service_alone(tmp_path: Path) -> None:
    """The service's and the load test's Dockerfile copy only ``service/`` before they build the wheel."""
    assert files_of(build_wheel(tmp_path, ("service",))) == files_below("hiseg")


def test_a_users_own_folders_do_no_harm(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    script = tmp_path / "script" / "segment.py"
    (script.parent / "service").mkdir(parents=True)
    (script.parent / "service" / "__init__.py").write_text("OWNER = 'the user'\n")
    script.write_text(USERS_SCRIPT)
    variables = os.environ | {"PYTHONPATH": str(installed)}
    variables.pop(
        "COVERAGE_PROCESS_CONFIG", None
    )  # what is measured are the sources, not this copy, which soon is gone
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=script.parent, env=variables, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["the", "user", "hiseg.client.sync", str(installed / "hiseg/__init__.py"), "None"]


def test_a_folder_of_the_packages_name_does_not_hide_it(tmp_path: Path) -> None:
    """A clone is called hiseg, too; who works beside it still gets the package of the virtual environment."""
    (tmp_path / "hiseg").mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", "from hiseg import Client; import hiseg_training; print(Client.__module__)"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "hiseg.client.sync"), done.stderr
