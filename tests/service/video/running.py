"""Runs ``hiseg video`` as a user does, in this process or in one of its own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from benchmarks.harness.repository import REPOSITORY
from hiseg.cli.video import video

APP = typer.Typer()
APP.command()(video)
COMMAND = [sys.executable, "-c", "import typer; from hiseg.cli.video import video; typer.run(video)"]
COMMAND_END = ["--repository", str(REPOSITORY)]


@dataclass(frozen=True)
class Done:
    """What it said."""

    code: int
    out: str
    err: str

    @property
    def frames(self) -> int:
        return self._figure("frames")

    @property
    def dropped(self) -> int:
        return self._figure("dropped")

    def _figure(self, name: str) -> int:
        words = self.out.split()
        return int(words[words.index(name) + 1])


def hiseg_video(*arguments: object, expect: int = 0) -> Done:
    done = CliRunner().invoke(APP, [*map(str, arguments), *COMMAND_END])
    assert done.exit_code == expect, (done.output, done.exception)
    return Done(done.exit_code, done.stdout, done.stderr)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
