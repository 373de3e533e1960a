"""Runs ``hiseg`` in a process of its own, as a user does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.harness.paths import HISEG, ROOT


def hiseg(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([HISEG, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done


def assert_one_line(error: str, expected: str) -> None:
    assert expected in error
    assert len(error.splitlines()) == 1
