"""Files of variables, as kustomize and systemd read them."""

from __future__ import annotations

from pathlib import Path


def read_variables(path: Path) -> dict[str, str]:
    """The variables of a file with one ``NAME=value`` a line; lines that begin with ``#`` are comments."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
