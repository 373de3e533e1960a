"""Which model files of a repository are served."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.models.repository import NoModels, stored_models, stored_versions


def test_the_newest_version_of_each_model(tmp_path: Path) -> None:
    for place in ("b/1", "b/10", "b/9", "b/draft", "a/2"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.onnx").touch()
    assert [(model.name, model.version) for model in stored_models(tmp_path)] == [("a", "2"), ("b", "10")]


def test_a_repository_without_models(tmp_path: Path) -> None:
    with pytest.raises(NoModels, match="no model"):
        stored_models(tmp_path)


def test_all_versions_newest_first_without_what_is_being_written(tmp_path: Path) -> None:
    for place in ("b/9", "b/10", "b/.11.partial", ".c.partial/1"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.onnx").touch()
    (tmp_path / "b" / "12").mkdir()
    assert {name: [m.version for m in models] for name, models in stored_versions(tmp_path).items()} == {
        "b": ["10", "9"]
    }
    assert stored_versions(tmp_path / "nowhere") == {}


def test_a_version_differs_after_any_of_its_files_changes(tmp_path: Path) -> None:
    folder = tmp_path / "b" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_text("one")

    def now() -> object:
        return stored_versions(tmp_path)["b"][0]

    first = now()
    assert now() == first
    (folder / "canary.jpg").touch()
    beside = now()
    assert beside != first
    (folder / "model.onnx").write_text("another")
    assert now() != beside
