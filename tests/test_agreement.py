"""`hiseg run`, HTTP and a plain script that follows the tensor contract give the same masks, to the pixel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest

from benchmarks.harness.paths import ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from tests.service.cli.running import call


def from_run(photo: Path, boxes: list[str], tmp_path: Path) -> list[dict[str, Any]]:
    answer = tmp_path / "answer.json"
    options = [part for box in boxes for part in ("--box", box)]
    call("run", photo, *options, "--repository", REPOSITORY, "--json", answer)
    return [instance["mask"] for instance in json.loads(answer.read_text())["instances"]]


def from_http(photo: Path, boxes: list[str], client: httpx.Client) -> list[dict[str, Any]]:
    headers = {"content-type": "image/jpeg"}
    response = client.post(
        "/v1/segment", params={"boxes": ";".join(boxes)}, content=photo.read_bytes(), headers=headers
    )
    return [instance["mask"] for instance in response.json()["instances"]]


def from_plain_script(photo: Path, boxes: list[str]) -> list[dict[str, Any]]:
    script = ROOT / "docs" / "examples" / "plain_onnx.py"
    model = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
    done = subprocess.run(
        [sys.executable, script, model, photo, *boxes], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return [{"format": "coco_rle", **json.loads(line)} for line in done.stdout.splitlines()]


@pytest.mark.parametrize("size", [(949, 512), (1898, 1024), (300, 162)])
def test_all_three_agree(client: httpx.Client, tmp_path: Path, size: tuple[int, int]) -> None:
    photo = tmp_path / "photo.jpg"
    with PIL.Image.open(SAMPLE) as sample:
        sample.resize(size).save(photo, quality=95)
    scale = size[0] / 949
    boxes = [
        ",".join(f"{min(v * scale, limit):.2f}" for v, limit in zip(box, size * 2, strict=True)) for box in SAMPLE_BOXES
    ]
    expected = from_http(photo, boxes, client)
    assert len(expected) == 2
    assert from_run(photo, boxes, tmp_path) == expected
    assert from_plain_script(photo, boxes) == expected
