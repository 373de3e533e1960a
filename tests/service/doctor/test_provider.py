"""The doctor notices a GPU that is not used, and one that is configured but missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.doctor.finding import Level
from hiseg.doctor.provider import check_provider, check_threads
from hiseg.settings import Settings

CPU, CUDA = ["CPUExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("available", "device", "level"),
    [(CPU, False, Level.OK), (CPU, True, Level.WARNING), (CUDA, True, Level.OK), (CUDA, False, Level.WARNING)],
)
def test_a_gpu_without_its_provider_is_reported(
    tmp_path: Path, available: list[str], device: bool, level: Level
) -> None:
    """An empty file stands for the device of a GPU, which isn't here."""
    gpu = tmp_path / "nvidia0"
    if device:
        gpu.touch()
    assert check_provider(available, gpu).level is level


@pytest.mark.parametrize(("asked", "level"), [(0, Level.OK), (2, Level.OK), (4, Level.WARNING)])
def test_more_threads_than_cores_are_reported(asked: int, level: Level) -> None:
    assert check_threads(Settings(threads=asked), cores=2).level is level
