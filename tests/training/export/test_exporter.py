"""A file says the version of hiseg that exported it, and the commit if that is one of hiseg's own repository."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from hiseg_training.export.exporter import checkout_commit, exporter

PACKAGE = Path("training", "hiseg_training")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, project: str, *files: Path) -> Path:
    """A repository of a project with one commit that has these files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "Begin")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = ("MODEL_CARD.md", PACKAGE / "__init__.py", "service/hiseg/__init__.py")
    return repository(tmp_path / "hiseg", "hiseg", *map(Path, files))


def test_a_checkout_of_hiseg_has_a_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "--short", "HEAD")
    assert exporter(checkout / PACKAGE) == {"exported_by": f"hiseg {version('hiseg')}", "export_commit": commit}
    (checkout / "MODEL_CARD.md").write_text("of a model that was published just now")
    assert checkout_commit(checkout / PACKAGE) == commit
    (checkout / PACKAGE / "new.py").touch()
    assert checkout_commit(checkout / PACKAGE) == f"{commit}+changes"
    (checkout / PACKAGE / "new.py").unlink()
    (checkout / "service/hiseg/__init__.py").write_text("CHANGED = True")
    assert checkout_commit(checkout / PACKAGE) == f"{commit}+changes"


def test_an_installation_in_somebodys_repository_has_no_commit(checkout: Path, tmp_path: Path) -> None:
    installed = Path(".venv", "lib", "python3.11", "site-packages", "hiseg_training")
    for project in ("theirs", "hiseg"):
        tracked = repository(tmp_path / f"{project} tracks all", project, installed / "__init__.py")
        assert checkout_commit(tracked / installed) == ""
    (checkout / installed).mkdir(parents=True)
    (checkout / installed / "__init__.py").touch()
    assert exporter(checkout / installed) == {"exported_by": f"hiseg {version('hiseg')}"}
    copied = repository(tmp_path / "copied into theirs", "theirs", PACKAGE / "__init__.py")
    assert checkout_commit(copied / PACKAGE) == ""


def test_the_repository_is_that_of_the_package_wherever_one_works(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = repository(tmp_path / "theirs", "theirs", Path("README.md"))
    expected = git(checkout, "rev-parse", "--short", "HEAD")
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(theirs)
    monkeypatch.setenv("GIT_DIR", str(theirs / ".git"))  # as hooks of theirs have it
    assert checkout_commit(checkout / PACKAGE) == expected
    assert checkout_commit(tmp_path / "none") == ""


def test_without_git_or_a_commit_there_is_none(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new" / PACKAGE).mkdir(parents=True)
    git(tmp_path / "new", "init", "-q")
    assert checkout_commit(tmp_path / "new" / PACKAGE) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout_commit(checkout / PACKAGE) == ""
