"""The examples of docs/integrations.md run as printed, with the real tools; only the service's address is replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.paths import ROOT, SAMPLE
from benchmarks.harness.serving import Server
from tests.conftest import TOOLS
from tests.service.client.cvat_server import cvat
from tests.service.client.test_cvat import HEIGHT, WIDTH, coco

PAGE = (ROOT / "docs" / "integrations.md").read_text()
ADDRESS = "127.0.0.1:8000"
MADE_OF_THE_DOCUMENT = "hiseg_client"
"""A package that the example makes itself: it is tried beside the other clients of its kind, in
``tests/service/transports/http/openapi``."""
PYTHON = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if MADE_OF_THE_DOCUMENT not in code]
BASH = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
WROTE = {"supervision": "supervision.png", "pycocotools": "results.json", "datumaro": "people/annotations"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One to write to, that looks like the project's."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return tmp_path


def here(example: str, server: Server) -> str:
    return example.replace(ADDRESS, server.url.removeprefix("http://"))


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: re.findall(r"^import (\w+)|^from (\w+)", code, re.M)[0][0])
def test_code_works_as_printed(code: str, server: Server, tools: Callable[..., str], folder: Path) -> None:
    variables = {
        "HOME": str(folder),
        "FIFTYONE_DATABASE_DIR": str(folder / "database"),
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DO_NOT_TRACK": "true",
    }
    tools("-c", here(code, server), cwd=folder, **variables)
    for tool, name in WROTE.items():
        assert (folder / name).exists() == (f"import {tool}" in code or f"from {tool}" in code)


def test_label_studio(server: Server, folder: Path) -> None:
    (example,) = (block for block in BASH if "/predict" in block)
    command = ["bash", "-euo", "pipefail", "-c", here(example, server)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    ((region,),) = (result["result"] for result in json.loads(done.stdout)["results"])
    assert (region["type"], region["value"]["brushlabels"]) == ("brushlabels", ["Person"])


def test_label_studio_takes_the_configuration(server: Server, folder: Path) -> None:
    (config,) = re.findall(r"```xml\n(.*?)```", PAGE, re.DOTALL)

    answer = httpx.post(f"{server.url}/setup", json={"project": "1.1", "schema": config})
    assert answer.status_code == 200, answer.text


def test_cvat(server: Server, tools: Callable[..., str], folder: Path) -> None:
    (example,) = (block for block in BASH if "cvat-cli" in block)
    coco(folder).rename(folder / "instances_default.json")
    variables = {
        "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT}",
        "HOME": str(folder),
        "CVAT_ACCESS_TOKEN": "secret",
    }
    with cvat(SAMPLE.read_bytes(), WIDTH, HEIGHT) as running:
        command = here(example, server).replace("https://cvat.example", running.url)
        subprocess.run(
            ["bash", "-c", command], cwd=folder, env=os.environ | variables, capture_output=True, timeout=60, check=True
        )
        assert [shape["type"] for shape in running.uploads[0]["shapes"]] == ["mask", "mask"]


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", PAGE))
def test_links_have_existing_targets(target: str) -> None:
    path, _, anchor = target.partition("#")
    page = (ROOT / "docs" / path) if path else ROOT / "docs" / "integrations.md"
    assert page.exists()
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    assert not anchor or anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
