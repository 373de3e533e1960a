"""Distribution of an epoch's samples over the processes of a run, batch by batch, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from hiseg_training.config.run import Configuration
from hiseg_training.crops.dataset import Draw
from hiseg_training.data.dataset import EpochSampler
from hiseg_training.engine.process import ProcessRank, check_batch_size

MOST_GROWTH = 1.5
"""Largest number of crops in a batch as a multiple of that of full-size ones."""


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
        check_batch_size(batch_size, world)
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


class CropBatchSampler(Sampler[list[Draw]]):
    """One process's part of each batch of an epoch of crops, whose size depends on how far the run is.

    All epochs have as many batches as one pass over the people takes at full size. Batches of smaller crops are larger
    (:data:`MOST_GROWTH`), so that people come more often in an epoch of those.

    Args:
        weights: expected number of times that each person comes in a pass, from 0.
        configuration: of the run.
        process: which one this is.
        spent: says which share 0..1 of the run's time is over, where that is limited.

    Raises:
        ValueError: ``schedule.batch_size`` isn't a multiple of the number of processes, or there are fewer people.
    """

    def __init__(
        self, weights: Sequence[float], configuration: Configuration, process: ProcessRank, spent: Callable[[], float]
    ) -> None:
        schedule, world = configuration.schedule, process.world
        check_batch_size(schedule.batch_size, world)
        self._weights = np.asarray(weights, dtype=np.float64)
        self._configuration, self._process, self._spent = configuration, process, spent
        people = int(self._weights.sum())
        self._batch = min(schedule.batch_size, people - people % world)
        if not self._batch:
            raise ValueError(f"data: a pass over {people} people is too short for {world} processes")
        self._steps = people // self._batch
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to sample; the trainer calls this before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._steps

    def __iter__(self) -> Iterator[list[Draw]]:
        """Batches of the chosen epoch, on which alone they depend, unless the run's time is limited."""
        configuration, world = self._configuration, self._process.world
        people = self._people(np.random.default_rng((configuration.schedule.seed, self._epoch)))
        full = configuration.model.mask_size
        number = self._epoch * self._steps * int(self._batch * MOST_GROWTH)
        for step in range(self._steps):
            passed = (self._epoch + step / self._steps) / configuration.schedule.epochs
            size = configuration.instances.size_at(max(passed, self._spent()), full)
            growth = min(MOST_GROWTH, full[0] * full[1] / (size[0] * size[1]))
            each = max(1, int(self._batch * growth) // world)
            batch = [Draw(next(people), number + place, size) for place in range(each * world)]
            number += len(batch)
            yield batch[self._process.rank * each : (self._process.rank + 1) * each]

    def _people(self, rng: np.random.Generator) -> Iterator[int]:
        """Indices of people, shuffled, pass after pass without end."""
        whole, part = np.divmod(self._weights, 1)
        while True:
            times = (whole + (rng.random(len(part)) < part)).astype(int)
            yield from rng.permutation(np.repeat(np.arange(len(times)), times)).tolist()
