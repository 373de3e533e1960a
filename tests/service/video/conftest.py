"""Fixtures for everything about video."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

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
        if os.environ.get("CI") == "true":
            pytest.fail("ffmpeg isn't installed: apt-get install ffmpeg")
        pytest.skip("ffmpeg isn't installed")
    return Path(found)
