"""Runs ``hiseg`` in a process of its own, as a user does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.harness.paths import HISEG, ROOT


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
