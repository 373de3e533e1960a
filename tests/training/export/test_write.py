"""The commit that a file was exported from is this project's, or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hiseg_training.export.write import checkout_commit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own with one commit, of a project called hiseg, and an untracked copy of its module."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "hiseg"\n')
    (tmp_path / "module.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "pyproject.toml", "module.py")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "Begin")
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "module.py").touch()
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_of_this_project_has_a_commit(checkout: Path) -> None:
    assert checkout_commit(checkout / "module.py") == git(checkout, "rev-parse", "--short", "HEAD")


def test_a_package_installed_inside_a_checkout_has_none(checkout: Path) -> None:
    assert checkout_commit(checkout / "installed" / "module.py") == ""


def test_another_projects_commit_is_not_ours(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    assert checkout_commit(checkout / "module.py") == ""
    (checkout / "pyproject.toml").unlink()
    assert checkout_commit(checkout / "module.py") == ""


def test_without_a_repository_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "module.py").touch()
    assert checkout_commit(tmp_path / "module.py") == ""
