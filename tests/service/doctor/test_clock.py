"""The doctor checks this machine's clock, and a server's clock against it."""

from __future__ import annotations

import time

import pytest

from hiseg.doctor import clock
from hiseg.doctor.clock import Clock, check_offset, is_clock_synchronised
from hiseg.doctor.finding import Level


def test_a_clock_that_jumps_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for a wall clock that is set while the doctor looks: setting the machine's would disturb it."""
    watched = Clock()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3)
    (finding,) = watched.findings()
    assert finding.level is Level.WARNING
    assert "moved" in finding.found


@pytest.mark.parametrize(("state", "level"), [(True, Level.OK), (None, Level.OK), (False, Level.WARNING)])
def test_the_level_follows_the_kernels_synchronisation_state(
    monkeypatch: pytest.MonkeyPatch, state: bool | None, level: Level
) -> None:
    monkeypatch.setattr(clock, "is_clock_synchronised", lambda: state)
    (finding,) = Clock().findings()
    assert finding.level is level


def test_the_kernels_state_can_be_read() -> None:
    assert is_clock_synchronised() in (True, False, None)


@pytest.mark.parametrize(
    ("theirs", "level"), [(100.0, Level.OK), (100.9, Level.OK), (98.0, Level.WARNING), (107.0, Level.WARNING)]
)
def test_a_server_that_is_ahead_or_behind(theirs: float, level: Level) -> None:
    assert check_offset("a:8001", 99.9, theirs, 100.1).level is level
