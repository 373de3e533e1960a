"""The doctor checks limits against each other and against the machine."""

from __future__ import annotations

import resource

import pytest

from hiseg.doctor.finding import Level
from hiseg.doctor.limits import check_memory, check_open_files, check_settings
from hiseg.settings import MEBI, Settings


def test_the_default_limits_agree() -> None:
    (finding,) = check_settings(Settings())
    assert (finding.level, finding.mend) == (Level.OK, "")


@pytest.mark.parametrize(
    ("given", "level", "named"),
    [
        ({"max_image_pixels": 200_000_000}, Level.WRONG, "max_held_bytes"),
        ({"max_wait_ms": 40_000}, Level.WARNING, "default_deadline_ms"),
        ({"batch_budget_ms": 5000}, Level.WARNING, "max_wait_ms"),
        ({"drain_seconds": 20}, Level.WARNING, "drain_seconds"),
        ({"label_studio_media_root": "/nowhere/media"}, Level.WARNING, "/nowhere/media"),
    ],
)
def test_two_contradicting_settings_are_both_named(given: dict[str, object], level: Level, named: str) -> None:
    (finding,) = check_settings(Settings(**given))  # type: ignore[arg-type]
    assert finding.level is level
    assert named in finding.found
    assert next(iter(given)) in finding.found + finding.mend
    assert finding.mend


def test_an_image_of_the_largest_size_that_can_be_held_is_enough() -> None:
    held = Settings().max_held_bytes
    (finding,) = check_settings(Settings(max_image_pixels=held // 3))
    assert finding.level is Level.OK


@pytest.mark.parametrize(("allowed", "level"), [(64, Level.WRONG), (1024, Level.WARNING), (65536, Level.OK)])
def test_the_level_follows_the_limit_of_open_files(allowed: int, level: Level) -> None:
    finding = check_open_files(Settings(), allowed)
    assert finding.level is level
    assert str(allowed) in finding.found


def test_no_limit_of_open_files_is_fine() -> None:
    assert check_open_files(Settings(), resource.RLIM_INFINITY).level is Level.OK


@pytest.mark.parametrize(("mebi", "level"), [(256, Level.WRONG), (900, Level.WARNING), (2048, Level.OK)])
def test_the_level_follows_the_available_memory(mebi: int, level: Level) -> None:
    assert check_memory(Settings(max_held_bytes=512 * MEBI), mebi * MEBI).level is level


@pytest.mark.parametrize("mebi", [600, 768, 1024, 4096])
def test_what_is_held_by_default_fits(monkeypatch: pytest.MonkeyPatch, mebi: int) -> None:
    monkeypatch.setattr("hiseg.settings.available_memory", lambda: mebi * MEBI)
    assert check_memory(Settings(), mebi * MEBI).level is Level.OK


def test_with_too_little_memory_it_says_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    mend = check_memory(Settings(max_held_bytes=512 * MEBI), 768 * MEBI).mend
    assert mend == f"Allow 1024 MiB of memory, or set max_held_bytes to {(768 - 384) * MEBI * 4 // 5}."
    monkeypatch.setattr("hiseg.settings.available_memory", lambda: 256 * MEBI)
    settings = Settings()  # it has room for four bodies
    assert settings.max_held_bytes == 4 * settings.max_body_bytes
    assert "max_image_bytes" in check_memory(settings, 256 * MEBI).mend
