"""What a publication is measured on: files that are named, or the splits of the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg_training.cli.publish import measured_sets
from hiseg_training.data.coco import CocoSet, split_file


def test_named_files_go_first_and_a_second_one_may_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {split: split_file(tmp_path, split) for split in ("val", "ood")}
    files["val"].parent.mkdir()
    files["val"].touch()
    of_data = {split: CocoSet(file, tmp_path / "images" / split) for split, file in files.items()}
    assert measured_sets(None, None, None, None, tmp_path) == {"val": of_data["val"]}
    assert f"there is no {files['ood']}: the model is measured on val alone" in capsys.readouterr().err
    files["ood"].touch()
    assert measured_sets(None, None, None, None, tmp_path) == of_data
    own = tmp_path / "own.json"
    own.touch()
    assert measured_sets(own, tmp_path, None, None, tmp_path) == {"val": CocoSet(own, tmp_path)}
    both = {"val": of_data["val"], "ood": CocoSet(own, tmp_path)}
    assert measured_sets(None, None, own, tmp_path, tmp_path) == both
    assert not capsys.readouterr().err
