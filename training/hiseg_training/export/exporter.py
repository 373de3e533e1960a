"""Says which code exported a file: the version of hiseg, and its commit where it runs from a checkout of hiseg."""

from __future__ import annotations

import os
import subprocess
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path("training", "hiseg_training")
"""Where this package lies in a checkout."""
SOURCES = ("service/hiseg", "training/hiseg_training")
"""What an export depends on; other files of a checkout, such as published models, may differ from its commit."""
CHANGED = "+changes"
"""Stands behind a commit that isn't all of the code."""


def exporter(package: Path) -> dict[str, str]:
    """Return metadata of an exported file: ``exported_by``, and in a checkout of hiseg ``export_commit``.

    Args:
        package: folder of the package ``hiseg_training`` that runs.
    """
    found = {}
    with suppress(PackageNotFoundError):  # run from its sources, without an installation
        found["exported_by"] = f"hiseg {version('hiseg')}"
    if commit := checkout_commit(package):
        found["export_commit"] = commit
    return found


def checkout_commit(package: Path) -> str:
    """Return the abbreviated commit of the checkout of hiseg that the package is part of.

    Returns:
        The commit, with :data:`CHANGED` if sources differ from it. Empty where the package is not tracked by a checkout
        of hiseg, as after an installation: that may lie inside another project's checkout, whose commit says nothing
        about the exporter.
    """
    try:
        top = Path(_git(package, "rev-parse", "--show-toplevel"))
        if package.resolve() != (top / PACKAGE).resolve():
            return ""
        _git(package, "ls-files", "--error-unmatch", "__init__.py")
        if tomllib.loads((top / "pyproject.toml").read_text())["project"]["name"] != "hiseg":
            return ""
        changed = _git(top, "status", "--porcelain", "--", *(source for source in SOURCES if (top / source).exists()))
        return _git(top, "rev-parse", "--short", "HEAD") + CHANGED * bool(changed)
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError, TypeError):
        return ""  # no git, no repository, or one without a commit or without a project


def _git(folder: Path, *arguments: str) -> str:
    # Git's own variables, as hooks have them, would point it at another repository than that of the folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()
