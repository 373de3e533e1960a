"""Fixtures for everything about video."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.harness.availability import missing
from tests.service.video.clips import Clip, make


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Two seconds of two people."""
    return make(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """The program, or a skip; on CI it must be there."""
    found = shutil.which("ffmpeg")
    if found is None:
        missing("ffmpeg isn't installed")
    return Path(found)
