"""A bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io
import re
import sys

import pytest

from hiseg.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(3) as show:
        for done in (1, 3):
            show(done, f"{done} failed")
    return stream.getvalue()


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = shown(Terminal(), monkeypatch)
    assert "3/3" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "3 failed" in text
    assert text.rstrip().endswith("\x1b[2K")


def test_what_is_piped_or_logged_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(io.StringIO(), monkeypatch) == ""
