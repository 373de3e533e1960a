"""Settings are read from the environment and a file, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hiseg.settings import Settings


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text("port = 9000\nmax_boxes = 7\n")
    monkeypatch.setenv("HISEG_PORT", "9001")
    settings = Settings()
    assert (settings.port, settings.max_boxes) == (9001, 7)
    assert Settings(port=9002).port == 9002


def test_unknown_and_impossible_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text("max_boxs = 7\n")
    with pytest.raises(ValidationError, match="max_boxs"):
        Settings()
    Path("hiseg.toml").unlink()
    with pytest.raises(ValidationError, match="image_threads"):
        Settings(image_threads=-1)
    with pytest.raises(ValidationError, match=r"max_boxes \(200\) is over max_batch_boxes \(128\)"):
        Settings(max_boxes=200)
    with pytest.raises(ValidationError, match="max_held_bytes"):
        Settings(max_held_bytes=1000)


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert Settings().trusted_proxies == ("10.0.0.0/8", "::1")
    assert Settings(trusted_proxies=("*",)).trusted_proxies == ("*",)
    with pytest.raises(ValidationError, match="loadbalancer"):
        Settings(trusted_proxies=("loadbalancer",))
