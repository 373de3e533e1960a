"""Which of a run's processes this one is."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessRank:
    """Which of a run's processes this one is, as ``torchrun`` sets it in the environment.

    Attributes:
        rank: number of this process, from 0.
        world: number of processes.
        local: number of processes on this machine.
    """

    rank: int = 0
    world: int = 1
    local: int = 1

    @classmethod
    def from_environment(cls) -> ProcessRank:
        """Read ``RANK``, ``WORLD_SIZE`` and ``LOCAL_WORLD_SIZE``; without them there is one process."""
        rank, world, local = (
            int(os.environ.get(name, end)) for name, end in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_WORLD_SIZE", 1))
        )
        return cls(rank, world, local)


def check_batch_size(batch_size: int, world: int) -> None:
    """Raise ValueError unless ``batch_size`` can be divided among ``world`` processes."""
    if batch_size % world:
        raise ValueError(f"schedule.batch_size: {batch_size} is not a multiple of {world}, the number of processes")
