"""The version of hiseg that runs: every part of it and every program says this one."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
"""The folder of the checkout, if this file lies in one."""


@cache
def hiseg_version() -> str:
    """Return the version, such as "0.1.0": of the checkout that this file lies in, else of the installed package.

    A checkout may run without being installed (by ``PYTHONPATH``), and beside another version that is.
    """
    project = _project(CHECKOUT / "pyproject.toml")
    return str(project["version"]) if project.get("name") == "hiseg" else version("hiseg")


def _project(path: Path) -> dict[str, object]:
    """The table ``project`` of a ``pyproject.toml``; empty where there is no such file."""
    if not path.is_file():
        return {}
    project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    return project if isinstance(project, dict) else {}
