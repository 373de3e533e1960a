"""Which files of a repository are served."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.engines.repository import stored_models


def test_the_newest_version_of_each_model(tmp_path: Path) -> None:
    for place in ("b/1", "b/10", "b/9", "b/draft", "a/2"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.onnx").touch()
    assert [(model.name, model.version) for model in stored_models(tmp_path)] == [("a", "2"), ("b", "10")]


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no model"):
        stored_models(tmp_path)
