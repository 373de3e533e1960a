"""``hiseg-train data`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from hiseg_training.cli.main import app


def call(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_files_are_built_and_counted(drawn: Path, tmp_path: Path) -> None:
    (annotations,) = (drawn / "annotations").glob("*train2017*.json")
    said = call("build", annotations, "--output-dir", tmp_path)
    built = sorted(tmp_path.glob("*.json"))
    assert built
    assert all(f"wrote {path}" in said for path in built)
    counted = tmp_path / "stats.json"
    assert f"wrote {counted}" in call("stats", annotations, "--output", counted)
    assert json.loads(counted.read_text())
