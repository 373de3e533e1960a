"""Distribution of an epoch's samples over the processes of a run, batch by batch, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from hiseg_training.data.dataset import EpochSampler


class DistributedBatchSampler(Sampler[int]):
    """One process's part of each batch of all processes; samples left over at the end of an epoch are dropped.

    Args:
        epochs: yields the keys of an epoch's samples, the same in every process.
        batch_size: canvases a batch of all processes together; an epoch with fewer makes one smaller batch.
        rank: number of this process, from 0.
        world: number of processes.

    Attributes:
        batch: canvases a batch of this process.

    Raises:
        ValueError: ``batch_size`` isn't a multiple of ``world``, or an epoch has fewer samples than processes.
    """

    def __init__(self, epochs: EpochSampler, batch_size: int, rank: int = 0, world: int = 1) -> None:
        if batch_size % world:
            raise ValueError(f"schedule.batch_size: {batch_size} is not a multiple of {world}, the number of processes")
        self._epochs, self._rank, self._world = epochs, rank, world
        self.batch = min(batch_size, len(epochs) - len(epochs) % world) // world
        if not self.batch:
            raise ValueError(f"data: an epoch of {len(epochs)} draws is too short for {world} processes")

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to sample, on which alone the order depends; the trainer calls this before each epoch."""
        self._epochs.epoch = epoch

    def __len__(self) -> int:
        """Number of samples of this process in an epoch."""
        whole = self.batch * self._world
        return len(self._epochs) // whole * self.batch

    def __iter__(self) -> Iterator[int]:
        """Keys of this process's samples in the chosen epoch."""
        keys = list(self._epochs)
        for step in range(len(self) // self.batch):
            start = (step * self._world + self._rank) * self.batch
            yield from keys[start : start + self.batch]
