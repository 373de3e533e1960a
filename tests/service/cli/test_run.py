"""``hiseg run`` segments one photo without a server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import ROOT, SAMPLE, SAMPLE_BOXES
from tests.service.cli.running import assert_one_line, hiseg

BOXES = [part for box in SAMPLE_BOXES for part in ("--box", ",".join(f"{v:g}" for v in box))]


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


def test_run_tells_of_a_box_outside_the_photo() -> None:
    done = hiseg("run", SAMPLE, *BOXES, "--box", "2200,15,2300,512")
    assert done.stderr == "hiseg: boxes[2] lies outside the image\n"
    assert done.stdout.count("pixels, score") == 3


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


def test_run_numbers_more_people_than_8_bits_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_MAX_BATCH_BOXES", "300")
    picture = tmp_path / "out.png"
    boxes = [part for index in range(300) for part in ("--box", f"{22 + index},15,{365 + index},512")]
    hiseg("run", SAMPLE, *boxes, "--mask-format", "label_map", "-o", picture)
    with PIL.Image.open(picture) as labels:
        assert np.asarray(labels).max() > 255


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", SAMPLE, "--box", "1,2,3"], "boxes[0]"),
        (["run", SAMPLE, "--variant", "b9", *BOXES], "b9"),
        (["run", ROOT / "pyproject.toml", *BOXES], "image/jpeg"),
        (["run", SAMPLE], "there are no boxes; give --box x1,y1,x2,y2 for each person, or --mode binary"),
        (["run", SAMPLE, "--box", "2200,15,2300,512"], "boxes[0] lies outside the image"),
        (["run", SAMPLE, "--box", "0.1,0.1,0.5,0.9"], "normalized"),
    ],
)
def test_errors_are_one_line(arguments: list[str | Path], told: str) -> None:
    assert_one_line(hiseg(*arguments, expect=1).stderr, told)


@pytest.mark.parametrize("wrong", ["--dilation-px=1_0", "--threshold=nan", "--tolerance-px=0x1", "--mode=x"])
def test_numbers_and_words_of_options_are_checked(wrong: str) -> None:
    done = hiseg("run", SAMPLE, *BOXES, wrong, expect=2)
    assert wrong.partition("=")[0] in done.stderr
    assert "Value error" not in done.stderr


def test_boxes_may_have_other_units() -> None:
    half = hiseg("run", SAMPLE, "--box", "0.1,0.1,0.4,0.9", "--normalized").stdout
    assert half.startswith("box 94.9, 51.2, 379.6, 460.8")
    assert hiseg("run", SAMPLE, "--box", "10,20,100,200", "--box-format", "xywh").stdout.startswith(
        "box 10, 20, 110, 220"
    )
