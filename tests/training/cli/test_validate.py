"""``hiseg-train validate``, on a checkpoint and an exported file at once."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
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
    assert expand_patterns([str(tmp_path / "*" / "*" / "best*.pth"), str(paths[0])]) == paths
    assert short_names(paths) == {"a-checkpoints-best": paths[0], "b-checkpoints-best": paths[1]}
    with pytest.raises(FileNotFoundError, match="worst"):
        expand_patterns([str(tmp_path / "worst*.pth")])


def test_a_file_that_is_no_model_is_said_in_a_line(drawn: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "none*.pth")])
    assert done.exit_code == 2
    assert "no pattern of any" in done.output
