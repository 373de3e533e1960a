"""``hiseg-train validate``, on a checkpoint and an exported file at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.harness.repository import REPOSITORY
from hiseg_training.cli.main import app
from hiseg_training.cli.validate import expand_patterns, short_names
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.checkpoints import save_checkpoint
from hiseg_training.models.hierarchical import HierarchicalModel

B0 = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("experiment") / "best_model.pth"
    small = (16, 16, 16, 16)
    save_checkpoint(path, HierarchicalModel(ModelConfig(fine_widths=small, coarse_widths=small)), {})
    return path


def test_several_models_side_by_side(drawn: Path, checkpoint: Path, tmp_path: Path) -> None:
    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    pattern = str(checkpoint.with_name("best_*.pth"))
    asked = ["validate", pattern, str(B0), "--multiple", "--val_ann", str(annotations), "--batch_size", "4"]
    asked += ["--jitter", "0", "--visualize", "--num_visualize", "1", "--output_dir", str(tmp_path)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "validation.json").read_text())
    assert list(report["models"]) == ["best_model", "model"]
    target = [m["ground truth boxes"]["at_mask_resolution"]["target_miou"] for m in report["models"].values()]
    assert 0 <= target[0] <= 1
    assert target[1] > 0.5, "the published model knows even drawn people"
    assert "| best_model | model |" in (tmp_path / "validation.md").read_text()
    for name in report["models"]:
        (picture,) = (tmp_path / name).glob("*.png")
        assert min(cv2.imread(str(picture)).shape[:2]) > 600


def test_patterns_stand_for_files_and_names_tell_them_apart(tmp_path: Path) -> None:
    paths = [tmp_path / run / "checkpoints" / "best.pth" for run in ("a", "b")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    assert expand_patterns([str(tmp_path / "*" / "*" / "best*.pth"), str(paths[0])], "checkpoints") == paths
    assert short_names(paths) == {"a-checkpoints-best": paths[0], "b-checkpoints-best": paths[1]}
    with pytest.raises(FileNotFoundError, match="worst"):
        expand_patterns([str(tmp_path / "worst*.pth")], "checkpoints")


def test_a_file_that_is_no_model_is_said_in_a_line(drawn: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "none*.pth")])
    assert done.exit_code == 2
    assert "no pattern of any" in done.output


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"PK\x03\x04", bytes(range(256))], ids=["empty", "text", "zip", "bytes"]
)
@pytest.mark.parametrize(
    "command",
    [
        ["validate", "{}"],
        ["predict", "--onnx", "{}", "--annotations", "{annotations}"],
        ["publish", "{}", "--name", "a_b0"],
        ["export", "{}", "--precision", "fp16"],
        ["optimize", "{}", "out.onnx"],
    ],
    ids=lambda command: command[0],
)
def test_a_broken_file_is_said_in_a_line_by_each_command(
    command: list[str], content: bytes, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    ends = ["--val_ann", str(annotations)] if command[0] in ("validate", "publish") else []
    done = CliRunner().invoke(app, [part.format(path, annotations=annotations) for part in command] + ends)
    assert done.exit_code == 2, done.output
    said = done.output.splitlines()[-1]
    assert said.startswith(f"error: {path}: ONNX Runtime cannot open it: it is ")


@pytest.mark.parametrize("command", [["validate", "{}"], ["publish", "{}", "--name", "a_b0"], ["export", "{}"]])
@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04", None], ids=["empty", "text", "zip", "another's"])
def test_a_file_that_is_no_checkpoint_is_said_in_a_line_by_each_command(
    command: list[str], content: bytes | None, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "broken.pth"
    if content is None:
        torch.save({"config": ["mask_size"], "state_dict": {}}, path)
    else:
        path.write_bytes(content)
    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    ends = ["--val_ann", str(annotations)] if command[0] in ("validate", "publish") else []
    done = CliRunner().invoke(app, [part.format(path) for part in command] + ends)
    assert done.exit_code == 2, done.output
    assert done.output.splitlines()[-1].startswith(f"error: {path} is no checkpoint of this project's")


def test_what_is_no_regular_file_is_not_called_missing(drawn: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "pipe.onnx"), "--val_ann", str(annotations)])
    assert done.exit_code == 2
    assert done.output.splitlines()[-1] == f"error: {tmp_path / 'pipe.onnx'}: it is no regular file"
