"""What the process may use of its machine: the limits of its control groups (cgroups), as containers set them.

Version 1 has a tree of groups for each controller, version 2 one tree for all of them, and a machine may have both. A
limit of a group counts for all groups below it, so all of them are read, from the process's own to the outermost that
can be seen. In a container that is often the process's own; its ``memory.stat`` tells of those outside in version 1.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROCESS = Path("/proc/self")
NO_LIMIT = 2**60
"""From so many bytes on a limit is none: version 1 writes "no limit" as the largest number that it has."""


def available_memory(process: Path = PROCESS) -> int:
    """Bytes of memory that the process may have: the machine's, or the lowest limit of its groups if that is less.

    Args:
        process: the folder of the process below ``/proc``.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_memory_limits(process)])


def cpu_quota(process: Path = PROCESS) -> float | None:
    """The processor time that the process may use, in cores: the lowest quota of its groups; None: they have none.

    Args:
        process: the folder of the process below ``/proc``.
    """
    return min(_cpu_quotas(process), default=None)


def _memory_limits(process: Path) -> Iterator[int]:
    groups = list(_groups("memory", process))
    texts = [_read(group / name) for group in groups for name in ("memory.max", "memory.limit_in_bytes")]
    # Those of the outer groups too, also of those that can't be seen; reading it takes the kernel milliseconds.
    statistics = _lines(groups[0] / "memory.stat") if groups else []
    texts += [line.split()[1] for line in statistics if line.startswith("hierarchical_memory_limit")]
    return (int(text) for text in texts if text.isdecimal() and 0 < int(text) < NO_LIMIT)


def _cpu_quotas(process: Path) -> Iterator[float]:
    for group in _groups("cpu", process):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        for used, of in ((quota, period), (_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))):
            if used.isdecimal() and of.isdecimal() and int(used) and int(of):  # without a quota: max, or -1
                yield int(used) / int(of)


def _groups(controller: str, process: Path) -> Iterator[Path]:
    """The folders of the process's groups that may have limits of a controller, the innermost first."""
    own = {}
    for line in _lines(process / "cgroup"):
        _, controllers, of_process = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), of_process))  # version 2 names none
    for line in _lines(process / "mountinfo"):
        place, _, what = line.partition(" - ")
        root, mounted = (_unescape(field) for field in place.split()[3:5])
        kind, *_, options = what.split()
        if kind == "cgroup2":
            path = own.get("")
        elif kind == "cgroup" and controller in options.split(","):
            path = own.get(controller)
        else:
            continue
        if path is not None:
            yield from _upwards(Path(mounted), root, PurePosixPath(path))


def _upwards(mounted: Path, root: str, path: PurePosixPath) -> Iterator[Path]:
    """The folders from a group up to the place where the part of its tree below ``root`` is mounted."""
    folder = mounted
    # A container may see its path as its machine does, and its tree as if its own group were the root.
    if path.is_relative_to(root) and ".." not in path.parts:
        folder = mounted / path.relative_to(root)
    yield folder
    while folder != mounted:
        folder = folder.parent
        yield folder


def _unescape(text: str) -> str:
    """A path in the table of mounts, where blanks are octal numbers."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), text)


def _read(file: Path) -> str:
    """What a file says, or nothing if there is none, or it can't be read."""
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text().strip()
    return ""


def _lines(file: Path) -> list[str]:
    return _read(file).splitlines()
