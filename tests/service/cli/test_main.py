"""The command line, as a user types it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import HISEG, ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from hiseg.access.key_store import KeyStore

BOXES = [part for box in SAMPLE_BOXES for part in ("--box", ",".join(f"{v:g}" for v in box))]


def hiseg(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([HISEG, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done


def test_run_draws_the_people_and_writes_the_answer(tmp_path: Path) -> None:
    picture, answer = tmp_path / "out.png", tmp_path / "out.json"
    done = hiseg("run", SAMPLE, *BOXES, "-o", picture, "--json", answer)
    assert done.stdout.count("pixels, score") == 2
    assert "infer" in done.stdout
    with PIL.Image.open(picture) as drawn, PIL.Image.open(SAMPLE) as original:
        assert drawn.size == original.size
        assert (np.asarray(drawn) != np.asarray(original)).any(axis=2).mean() > 0.2
    assert len(json.loads(answer.read_text())["instances"]) == 2


def test_run_in_binary_mode(tmp_path: Path) -> None:
    answer = tmp_path / "out.json"
    hiseg("run", SAMPLE, "--mode", "binary", "--json", answer)
    assert json.loads(answer.read_text())["foreground"]["area"] > 0


def test_run_writes_masks_in_other_formats(tmp_path: Path) -> None:
    picture, answer = tmp_path / "out.png", tmp_path / "out.json"
    how = ("--smoothing", "edge", "--dilation-px", "5", "--resolve-overlaps")
    hiseg("run", SAMPLE, *BOXES, "--mask-format", "cutout", "-o", picture, "--json", answer, *how)
    with PIL.Image.open(picture) as everybody:
        assert everybody.mode == "RGBA"
        opaque = np.asarray(everybody)[:, :, 3] == 255
    instances = json.loads(answer.read_text())["instances"]
    assert [instance["mask"]["format"] for instance in instances] == ["cutout"] * 2
    assert opaque.sum() == sum(instance["area"] for instance in instances)


def test_models_lists_what_there_is() -> None:
    listed = hiseg("models", "--repository", REPOSITORY).stdout
    assert "hiseg_b0  version 1  variant b0  mask 128x96" in listed
    assert "384x640" in listed
    assert "mean IoU on val" in listed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", SAMPLE, "--box", "1,2,3"], "boxes[0]"),
        (["run", SAMPLE, "--variant", "b9"], "b9"),
        (["run", ROOT / "pyproject.toml"], "image/jpeg"),
        (["models", "--repository", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str | Path], told: str) -> None:
    error = hiseg(*arguments, expect=1).stderr
    assert told in error
    assert len(error.splitlines()) == 1


def test_a_service_without_models_says_so_and_ends() -> None:
    error = hiseg("serve", "--port", "0", "--repository", "nowhere", expect=1).stderr
    assert "nowhere" in error.splitlines()[-1]
    assert "Traceback" not in error


def test_a_key_and_what_is_stored_of_it() -> None:
    done = subprocess.run([HISEG, "key", "web"], capture_output=True, text=True, check=True)
    secret, line = (text.split(": ", 1)[1].strip() for text in done.stdout.splitlines())
    assert KeyStore([":".join(line.split())]).caller([("x-api-key", secret)]).name == "web"
    assert subprocess.run([HISEG, "key", "a b"], capture_output=True, check=False).returncode == 2
