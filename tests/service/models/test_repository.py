"""Which model files of a repository are served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT
from hiseg.models import repository
from hiseg.models.repository import NoModels, find_repository, local_repository, stored_models, stored_versions


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


def put_model(folder: Path) -> Path:
    (folder / "m" / "1").mkdir(parents=True)
    (folder / "m" / "1" / "model.onnx").touch()
    return folder


def test_a_folder_that_is_set_is_taken_whatever_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put_model(tmp_path / "model_repository")
    for setting in (tmp_path / "empty", tmp_path / "nowhere", Path("model_repository")):
        assert find_repository(setting) == setting


def test_without_a_setting_the_first_place_that_has_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = put_model(tmp_path / "site" / "hiseg" / "model_repository")
    monkeypatch.setattr(repository, "PACKAGE", own.parent)
    monkeypatch.setattr(repository, "OWN", own)
    monkeypatch.setattr(repository, "CHECKOUT", tmp_path)  # its service/hiseg is another folder
    assert find_repository(None) == own
    (tmp_path / "model_repository" / "m" / "1").mkdir(parents=True)  # no model in it yet
    assert find_repository(None) == own
    (tmp_path / "model_repository" / "m" / "1" / "model.onnx").touch()
    assert find_repository(None) == Path("model_repository")


def test_a_checkout_has_its_models_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_repository(None) == ROOT / "model_repository"


def test_without_any_models_all_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repository, "OWN", tmp_path / "site")
    monkeypatch.setattr(repository, "CHECKOUT", tmp_path)
    with pytest.raises(NoModels, match=re.escape(f"in any of {tmp_path / 'model_repository'}, {tmp_path / 'site'}.")):
        find_repository(None)
    assert local_repository(None) is None
    assert local_repository(tmp_path) == tmp_path
