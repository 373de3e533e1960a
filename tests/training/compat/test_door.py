"""What exists for upstream alone stays behind one door: who may import it is listed in its docstring."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import hiseg_training
from hiseg_training import compat

ROOT = Path(hiseg_training.__file__).parent


def imported(path: Path) -> set[str]:
    """Modules that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_only_the_listed_modules_import_it() -> None:
    listed = re.findall(r"^\* :mod:`([\w.]+)`", str(compat.__doc__), re.MULTILINE)
    users = set()
    for path in ROOT.rglob("*.py"):
        module = ".".join(("hiseg_training", *path.relative_to(ROOT).with_suffix("").parts))
        inside = module.startswith("hiseg_training.compat")
        if not inside and any(name.startswith("hiseg_training.compat") for name in imported(path)):
            users.add(next((door for door in listed if f"{module}.".startswith(f"{door}.")), module))
    assert users == set(listed)
