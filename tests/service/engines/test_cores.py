"""The number of cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hiseg.engines.cores import available_cores
from tests.service.core.test_cgroups import Machine

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("100000", 1), ("1000000000", ALL), ("max", ALL)])
def test_the_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    machine = Machine(tmp_path)
    machine.mount_v2("0::/", {"": {"cpu.max": f"{quota} 100000"}})
    assert available_cores(machine.process) == cores


def test_without_groups_all_cores_are_available(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none") == ALL
