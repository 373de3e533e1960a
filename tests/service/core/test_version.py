"""One version: that of the checkout, or of the installed package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import hiseg
from benchmarks.harness.paths import ROOT
from hiseg.core import version as module
from hiseg.core.version import hiseg_version


@pytest.fixture(autouse=True)
def _forget_what_was_read() -> Iterator[None]:
    """Before each test, and for those that come after in the same process."""
    hiseg_version.cache_clear()
    yield
    hiseg_version.cache_clear()


def test_a_checkout_says_its_own() -> None:
    assert hiseg.__version__ == hiseg_version()
    assert hiseg_version() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("project", [None, "[project]\nname = 'other'\nversion = '9'\n", "[tool]\n", "project = 1\n"])
def test_elsewhere_it_is_that_of_the_installed_package(
    project: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project)
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    assert hiseg_version() == version("hiseg")


def test_a_checkout_beside_another_installed_version_says_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'hiseg'\nversion = '7.8.9'\n")
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    assert hiseg_version() == "7.8.9"
