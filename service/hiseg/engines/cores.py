"""How many cores this process may really use: a container's share, not the machine's size."""

from __future__ import annotations

import os
from pathlib import Path

from hiseg.core.cgroups import PROCESS, cpu_quota


def available_cores(process: Path = PROCESS) -> int:
    """Number of cores by CPU affinity or by the quota of the process's groups, whichever is less; at least 1.

    Args:
        process: the folder of the process below ``/proc``.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(process)
    return cores if quota is None else max(1, min(cores, round(quota)))
