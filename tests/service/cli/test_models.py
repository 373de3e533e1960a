"""``hiseg models`` lists the models; ``check`` is tested with :mod:`hiseg.models.inspect`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.repository import REPOSITORY
from tests.service.cli.running import assert_one_line, hiseg


def test_models_lists_what_there_is() -> None:
    listed = hiseg("models", "--repository", REPOSITORY).stdout
    assert "hiseg_b0  version 1  variant b0  mask 128x96" in listed
    assert "384x640" in listed
    assert "mean IoU on val" in listed


def test_a_broken_model_is_named_and_the_others_are_listed(tmp_path: Path) -> None:
    for name in ("a_broken", "z_broken"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "model.onnx").write_bytes(bytes(range(256)))
    (tmp_path / "a_folder" / "1" / "model.onnx").mkdir(parents=True)
    (tmp_path / "hiseg_b0").symlink_to(REPOSITORY / "hiseg_b0")
    done = hiseg("models", "--repository", tmp_path, expect=1)
    assert "hiseg_b0  version 1" in done.stdout
    said = done.stderr.splitlines()
    assert [name in line for name, line in zip(("a_broken", "a_folder", "z_broken"), said, strict=True)] == [True] * 3


def test_a_missing_repository_is_an_error_of_one_line() -> None:
    assert_one_line(hiseg("models", "--repository", "nowhere", expect=1).stderr, "nowhere")
