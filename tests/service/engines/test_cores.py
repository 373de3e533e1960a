"""The number of cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hiseg.engines.cores import available_cores


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None)])
def test_the_cgroup_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available_cores(file) == (cores or len(os.sched_getaffinity(0)))


def test_without_a_cgroup_all_cores_are_available(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none") == len(os.sched_getaffinity(0))
