"""The limits of control groups, read from trees of files as the kernel shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hiseg.core.cgroups import available_memory, cpu_quota

MEBI = 1024 * 1024
NONE_OF_V1 = "9223372036854771712"
Files = Mapping[str, Mapping[str, str]]
"""Texts of files by folder, below where a tree is mounted."""


class Machine:
    """Files below a folder that stand for those of ``/proc/self`` and ``/sys/fs/cgroup``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process = folder / "proc self"
        self.process.mkdir()
        (self.process / "mountinfo").write_text("24 1 0:22 / /proc rw,nosuid - proc proc rw\n")
        (self.process / "cgroup").write_text("")

    def mount_v2(self, group: str, files: Files, root: str = "/") -> None:
        self._mount(group, files, root, "unified", "cgroup2 cgroup2 rw,nsdelegate")

    def mount_v1(self, group: str, files: Files, root: str = "/", controllers: str = "memory") -> None:
        self._mount(group, files, root, controllers, f"cgroup cgroup rw,{controllers}")

    def _mount(self, group: str, files: Files, root: str, name: str, what: str) -> None:
        mounted = self._folder / "sys fs" / name
        for folder, texts in files.items():
            (mounted / folder).mkdir(parents=True, exist_ok=True)
            for file, text in texts.items():
                (mounted / folder / file).write_text(f"{text}\n")
        with (self.process / "mountinfo").open("a") as mounts:
            mounts.write(f"30 24 0:26 {root} {str(mounted).replace(' ', chr(92) + '040')} rw shared:9 - {what}\n")
        with (self.process / "cgroup").open("a") as groups:
            groups.write(f"{group}\n")

    def tells(self) -> tuple[int, float | None]:
        return available_memory(self.process), cpu_quota(self.process)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_limits_the_machine_is_the_limit(machine: Machine, tmp_path: Path) -> None:
    total = available_memory(tmp_path / "none")
    assert total > 100 * MEBI
    assert machine.tells() == (total, None)
    machine.mount_v2("0::/a", {"a": {"memory.max": "max", "cpu.max": "max 100000"}})
    machine.mount_v1("4:memory:/a", {"a": {"memory.limit_in_bytes": NONE_OF_V1, "memory.stat": "cache 0"}})
    machine.mount_v1("5:cpu:/a", {"a": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}}, controllers="cpu")
    assert machine.tells() == (total, None)
    machine.mount_v1("6:memory:/a", {"a": {"memory.limit_in_bytes": str(2**59)}})
    assert machine.tells() == (total, None)


def test_version_2(machine: Machine) -> None:
    machine.mount_v2("0::/", {"": {"memory.max": str(768 * MEBI), "cpu.max": "150000 100000"}})
    assert machine.tells() == (768 * MEBI, 1.5)


def test_version_1(machine: Machine) -> None:
    machine.mount_v1("4:memory:/", {"": {"memory.limit_in_bytes": str(768 * MEBI)}})
    quota = {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}
    machine.mount_v1("3:cpu,cpuacct:/", {"": quota}, controllers="cpu,cpuacct")
    assert machine.tells() == (768 * MEBI, 0.5)


@pytest.mark.parametrize("lowest", ["", "a.slice", "a.slice/b.scope"])
def test_the_lowest_limit_of_all_groups_around_counts(machine: Machine, lowest: str) -> None:
    v2 = {folder: {"memory.max": "max", "cpu.max": "max 100000"} for folder in ("", "a.slice", "a.slice/b.scope")}
    v2[lowest] = {"memory.max": str(300 * MEBI), "cpu.max": "200000 100000"}
    v2["other"] = {"memory.max": "1000", "cpu.max": "1 100000"}
    machine.mount_v2("0::/a.slice/b.scope", v2)
    assert machine.tells() == (300 * MEBI, 2.0)
    v1 = {folder: {"memory.limit_in_bytes": NONE_OF_V1} for folder in ("", "a.slice", "a.slice/b.scope")}
    v1[lowest] = {"memory.limit_in_bytes": str(200 * MEBI)}
    machine.mount_v1("4:memory:/a.slice/b.scope", v1)
    assert machine.tells() == (200 * MEBI, 2.0)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/docker/1f", "/docker/1f"),  # the host's namespace, with the container's own part of the tree
        ("/docker/1f", "/"),  # a path that can't be seen inside
        ("/../../system.slice", "/"),  # a process from outside of the namespace
        ("/docker/1f", "/docker/other"),
    ],
)
def test_a_container_sees_its_group_as_the_root(machine: Machine, path: str, root: str) -> None:
    machine.mount_v1(f"4:memory:{path}", {"": {"memory.limit_in_bytes": str(500 * MEBI)}}, root)
    machine.mount_v2(f"0::{path}", {"": {"cpu.max": "100000 50000"}}, root)
    assert machine.tells() == (500 * MEBI, 2.0)


def test_version_1_tells_of_groups_outside_of_the_container(machine: Machine) -> None:
    told = f"cache 0\nhierarchical_memory_limit {400 * MEBI}\nhierarchical_memsw_limit {NONE_OF_V1}"
    machine.mount_v1("4:memory:/", {"": {"memory.limit_in_bytes": str(500 * MEBI), "memory.stat": told}})
    assert machine.tells() == (400 * MEBI, None)


@pytest.mark.parametrize("text", ["", "\x00", "-1", "0", "much"])
def test_what_is_no_limit_is_none(machine: Machine, text: str) -> None:
    before = machine.tells()
    files = {"memory.max": text, "cpu.max": text, "memory.limit_in_bytes": text, "cpu.cfs_quota_us": text}
    machine.mount_v2("0::/", {"": files})
    assert machine.tells() == before
