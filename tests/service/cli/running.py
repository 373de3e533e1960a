"""Runs ``hiseg`` as a user does: in a process of its own, or without one where that shows the same."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.harness.paths import HISEG, ROOT
from hiseg.cli.main import app


def hiseg(
    *arguments: str | Path, expect: int = 0, folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    command, env = [HISEG, *arguments], os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False, env=env)
    assert done.returncode == expect, done.stderr
    return done


def assert_one_line(error: str, expected: str) -> None:
    assert expected in error
    assert len(error.splitlines()) == 1


@dataclass(frozen=True, slots=True)
class Called:
    """What a command did that was called in this process, which starts no interpreter and loads no libraries anew."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def call(*arguments: str | Path, stdin: bytes = b"", expect: int = 0) -> Called:
    """Call ``hiseg`` in this process, with standard streams of its own."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == expect, done.stderr
    return Called(done.exit_code, done.stdout_bytes, done.stderr)
