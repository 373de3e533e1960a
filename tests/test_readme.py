"""The commands of the README and of the pages about formats, many photos and video, run as printed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import PIL.Image
import pytest
from pycocotools import mask as coco_mask

from benchmarks.harness.paths import ROOT
from benchmarks.harness.ports import free_ports

PAGES = tuple(
    ROOT / page for page in ("README.md", "docs/formats.md", "docs/photos.md", "docs/python.md", "docs/video.md")
)
README = "".join(page.read_text() for page in PAGES)
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SERVE = "make serve"
NOT_HERE = ("make test", "pip install", "HISEG_DATA=", ".venv/bin/hiseg-train")
"""`make test` is what runs this, `test_wheel.py` installs, and training takes hours."""
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""Where `hiseg` is after an installation."""
DETECTOR = "torchvision"
STAND_IN = """
import torch
from hiseg_training.models.torchvision_shim import declare_missing_operators
declare_missing_operators()
from torchvision.models import _api, detection
try:
    torch.ops.torchvision.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
except NotImplementedError:
    library = torch.library.Library("torchvision", "IMPL")
    library.impl("nms", lambda boxes, scores, overlap: scores.argsort(descending=True)[:3], "CPU")
random = detection.fcos_resnet50_fpn(weights=None, weights_backbone=None)
_api.WeightsEnum.get_state_dict = lambda *_, **__: random.state_dict()
"""
"""Random weights stand for those that a detector downloads when it first runs; and, where torchvision's compiled
operators don't fit torch, the surest boxes for its suppression of doubles."""


HTTP, GRPC = "127.0.0.1:8000", "127.0.0.1:50051"
"""The addresses that the README names. Here others stand in for them, which nobody else listens on."""


@pytest.fixture(scope="module", autouse=True)
def addresses() -> Iterator[dict[str, str]]:
    """`make serve` as the README has it; where it listens, by the README's address."""
    assert any(SERVE in block for block in BLOCKS)
    http, grpc = free_ports(2)
    environment = pytest.MonkeyPatch()
    environment.setenv("HISEG_PORT", str(http))
    environment.setenv("HISEG_GRPC_PORT", str(grpc))
    process = subprocess.Popen(["make", "serve"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, "make serve ended"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{http}/readyz").status_code == 200:
                    break
            time.sleep(0.2)
        yield {HTTP: f"127.0.0.1:{http}", GRPC: f"127.0.0.1:{grpc}"}
    finally:
        subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=False)
        process.wait(30)
        environment.undo()


def here(printed: str, addresses: dict[str, str]) -> str:
    """A command or a program as printed, but for where the service listens."""
    for names, listens in addresses.items():
        printed = printed.replace(names, listens)
    return printed.replace(
        "hiseg bench ", f"hiseg bench --url http://{addresses[HTTP]} "
    )  # its default is the README's


def commands() -> list[str]:
    joined = "".join(BLOCKS).replace("\\\n", " ")
    lines = [line.split("  #")[0].strip() for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith((SERVE, *NOT_HERE, "#"))]


@pytest.mark.parametrize("command", commands())
def test_command_works_as_printed(command: str, addresses: dict[str, str]) -> None:
    program = command.split()[0]
    if shutil.which(program, path=PATH) is None and "CI" not in os.environ:
        pytest.skip(f"there is no {program}")
    written = [ROOT / name for name in re.findall(r"(?:-o|--json|--plot) (\S+)", command)]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here(command, addresses)],
        cwd=ROOT,
        env=os.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stderr
        if "/v1/segment" in command and not written:
            answer = httpx.Response(200, text=done.stdout).json()
            assert answer["instances"]
            for instance in answer["instances"]:
                mask = instance["mask"]
                pixels = coco_mask.decode({"size": mask["size"], "counts": mask["counts"].encode()})
                assert pixels.shape == (answer["image"]["height"], answer["image"]["width"])
        for path in written:
            if path.suffix == ".mp4":
                with av.open(path) as container:
                    assert sum(1 for _ in container.decode(video=0)) == 20
            elif path.suffix == ".json":
                rows = json.loads(path.read_text())["annotations"]
                assert all(row["segmentation"] for row in rows)
            else:
                pictures = list(path.glob("*.png")) if path.is_dir() else [path]
                assert pictures
                for each in pictures:
                    with PIL.Image.open(each) as picture:
                        picture.load()
    finally:
        for path in written:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_code_works_as_printed(code: str, addresses: dict[str, str]) -> None:
    written = [ROOT / name for name in re.findall(r"save\(\"(\S+)\"\)", code)]
    code = (STAND_IN if DETECTOR in code else "") + here(code, addresses)
    try:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert all(path.exists() for path in written)
    finally:
        for path in written:
            path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_links_have_existing_targets(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)|<img src=\"([^\"]+)\"", page.read_text()):
        path = target[0] or target[1]
        assert path.startswith("http") or (page.parent / path).exists(), path
