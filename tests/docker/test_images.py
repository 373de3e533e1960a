"""The Dockerfiles, and the files that go into the images; images can't be built where the tests run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import Server

DOCKERFILES = sorted((ROOT / "docker").glob("*/Dockerfile"))
CHECK = ROOT / "docker" / "service" / "healthcheck.py"


def check(port: str) -> int:
    """The health check, started as the image starts it."""
    command = [sys.executable, "-I", "-S", CHECK]
    return subprocess.run(command, env={"HISEG_PORT": port}, stdout=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_copied_files_exist_and_the_last_stage_is_not_root(path: Path) -> None:
    lines = path.read_text().splitlines()
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in lines:
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            for source in words[1:-1]:
                assert (ROOT / source).exists(), source
                folders = [source, *map(str, Path(source).parents)]
                assert not sent.isdisjoint(folders), f"{source} is kept from the builder by .dockerignore"
    last = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in last
    assert any("--constraint constraints.txt" in line for line in lines)


def test_images_install_extras_that_exist_and_the_service_a_runtime_and_the_models_once() -> None:
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    for path in DOCKERFILES:
        text = path.read_text().replace("$EXTRAS", "".join(re.findall(r"ARG EXTRAS=(\S+)", path.read_text())))
        (extras,) = re.findall(r"hiseg-\*\.whl\)\[([\w,]+)\]", text)
        assert set(extras.split(",")) <= there, path
        is_service = path.parent.name == "service"
        assert ("cpu" in extras.split(",")) or not is_service
        if is_service:  # whose wheel is built without training
            assert "rm /opt/hiseg/bin/hiseg-train " in text
        assert len(re.findall(r"^COPY model_repository ", text, re.MULTILINE)) == is_service


def test_the_health_check_says_what_readyz_says(server: Server) -> None:
    assert check(server.url.rpartition(":")[2]) == 0
    assert check("1") == 1
