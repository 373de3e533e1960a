"""The wheel has all files of the two packages, the models, and nothing that could collide with users' folders.

What it does once it is installed is tested in ``test_wheel.py``; here models have stand-ins, as only names count.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from email import message_from_string
from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT
from hiseg.models.repository import stored_versions

PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
MODELS = ROOT / "model_repository"
SOURCES = {"hiseg": ROOT / "service" / "hiseg", "hiseg_training": ROOT / "training" / "hiseg_training"}
USERS_SCRIPT = """
import importlib.util
import service
from hiseg import AsyncClient, Client
import hiseg, hiseg_training
print(service.OWNER, Client.__module__, hiseg.__file__, importlib.util.find_spec("training"))
"""


def build_wheel(folder: Path, sources: Iterable[str], with_models: bool = False) -> Path:
    """Build the wheel from a copy of the project that has only these source folders; no network is needed."""
    project = folder / "project"
    project.mkdir()
    for name in PROJECT_FILES:
        shutil.copy(ROOT / name, project)
    for name in sources:
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    if with_models:
        for path in MODELS.rglob("*"):
            if path.is_file():
                copy = project / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.touch()
        # A version that is being written, as `hiseg-train publish` begins one.
        (project / "model_repository" / "hiseg_b0" / ".9.partial").mkdir()
        (project / "model_repository" / "hiseg_b0" / ".9.partial" / "model.onnx").touch()
    return wheel_of(project, folder / "wheels")


def wheel_of(source: Path, folder: Path) -> Path:
    """Build the wheel of a folder, or of an archive of sources."""
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.iterdir()
    return wheel


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def about(wheel: Path) -> str:
    """What an index is told of it: fields and, as the text, its page."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def files_below(package: str) -> set[str]:
    source = SOURCES[package]
    found = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{package}/{path.relative_to(source).as_posix()}" for path in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("whole"), ("service", "training"), with_models=True)


def test_the_wheel_has_both_packages_and_the_models_but_their_checkpoints(wheel: Path) -> None:
    models = {f"hiseg/{path.relative_to(ROOT).as_posix()}" for path in MODELS.rglob("*") if path.is_file()}
    checkpoints = {name for name in models if name.endswith("/checkpoint.pth")}
    assert checkpoints
    assert files_of(wheel) == files_below("hiseg") | files_below("hiseg_training") | models - checkpoints
    newest = stored_versions(MODELS)["hiseg_b0"][0].version
    assert {
        f"hiseg/model_repository/hiseg_b0/{newest}/canary.jpg",
        "hiseg/py.typed",
        "hiseg/transports/grpc/generated/hiseg/v1/segmentation_pb2.pyi",
        "hiseg/transports/http/playground/assets/index.html",
        "hiseg_training/provenance.toml",
        "hiseg_training/recipes/b0.toml",
    } <= files_of(wheel)


def test_the_archive_of_sources_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    project = wheel.parents[1] / "project"
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path / "sources"]
    subprocess.run(command, cwd=project, capture_output=True, check=True)
    (archive,) = (tmp_path / "sources").iterdir()
    again = wheel_of(archive, tmp_path / "wheels")
    assert files_of(again) == files_of(wheel)
    assert about(again) == about(wheel)


def test_the_images_without_training_get_the_service_alone(tmp_path: Path) -> None:
    """The load test's Dockerfile copies only ``service/`` before it builds the wheel."""
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


def test_the_page_for_an_index_leads_into_no_folder_of_ours(wheel: Path) -> None:
    """There, a picture or a link by a relative path would be broken."""
    found = message_from_string(about(wheel))
    page = found.get_payload()
    assert found["Description-Content-Type"] == "text/markdown"
    assert isinstance(page, str)
    assert page.lstrip().startswith("# hiseg")
    assert not re.findall(r"]\((?!https?:)[^)]*\)|src=\"(?!https?:)[^\"]*\"", page)


def test_no_extra_brings_a_second_runtime() -> None:
    """Two of them write the same folder, and break each other; ``cpu`` and ``gpu`` alone say which one it is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    runtimes = {extra: [need for need in needs if need.startswith("onnxruntime")] for extra, needs in extras.items()}
    assert {extra: found for extra, found in runtimes.items() if found} == {
        "cpu": ["onnxruntime>=1.31"],
        "gpu": ["onnxruntime-gpu>=1.31"],
    }
    assert not [need for needs in extras.values() for need in needs if re.match(r"hiseg\[.*\b(cpu|gpu)\b", need)]
