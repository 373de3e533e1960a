"""Which samples a process draws: those of an epoch, dealt out batch by batch, whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from hiseg_training.data.dataset import EpochSampler


class DistributedBatchSampler(Sampler[int]):
    """This process's part of each batch of all processes; what is left over at the end is dropped.

    Attributes:
        batch: canvases of this process a batch.
    """

    def __init__(self, epochs: EpochSampler, batch_size: int, rank: int = 0, world: int = 1) -> None:
        """``batch_size``: canvases of all processes; fewer where an epoch has no more.

        Raises:
            ValueError: it can't be dealt out evenly.
        """
        if batch_size % world:
            raise ValueError(f"schedule.batch_size: {batch_size} is not a multiple of {world}, the number of processes")
        self._epochs, self._rank, self._world = epochs, rank, world
        self.batch = min(batch_size, len(epochs) - len(epochs) % world) // world
        if not self.batch:
            raise ValueError(f"data: an epoch of {len(epochs)} draws is too short for {world} processes")

    def set_epoch(self, epoch: int) -> None:
        """The loop says so before each epoch; draws depend on nothing else."""
        self._epochs.epoch = epoch

    def __len__(self) -> int:
        whole = self.batch * self._world
        return len(self._epochs) // whole * self.batch

    def __iter__(self) -> Iterator[int]:
        keys = list(self._epochs)
        for step in range(len(self) // self.batch):
            start = (step * self._world + self._rank) * self.batch
            yield from keys[start : start + self.batch]
