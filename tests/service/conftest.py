"""Fixtures that several folders of the service's tests share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.harness.availability import missing

if TYPE_CHECKING:
    from tests.service.video.clips import Clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Two seconds of two people."""
    # Not at the top: most tests need no video, nor PyAV.
    from tests.service.video.clips import make

    return make(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """The program, or a skip; on CI it must be there."""
    found = shutil.which("ffmpeg")
    if found is None:
        missing("ffmpeg isn't installed")
    return Path(found)
