"""Processes share an epoch's draws; together they are what one process draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg_training.data.dataset import AugmentConfig, EpochSampler, PersonDataset
from hiseg_training.data.eval_dataset import read_photos
from hiseg_training.engine.sampler import DistributedBatchSampler


def draws(drawn: Path, batch: int, rank: int = 0, world: int = 1) -> DistributedBatchSampler:
    photos = read_photos(drawn / "annotations" / "instances_train2017_person_only_no_crowd.json", None, "train")
    return DistributedBatchSampler(EpochSampler(PersonDataset(photos, AugmentConfig())), batch, rank, world)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_batch_is_dealt_out(drawn: Path, world: int) -> None:
    whole, parts = draws(drawn, 6), [draws(drawn, 6, rank, world) for rank in range(world)]
    for epoch in (3, 0):
        for sampler in (whole, *parts):
            sampler.set_epoch(epoch)
        keys, dealt = list(whole), [list(part) for part in parts]
        assert len(keys) == len(whole) == 6
        assert sorted(key for part in dealt for key in part) == sorted(keys)
    whole.set_epoch(3)
    assert list(whole) != keys


def test_small_sets_make_small_batches_and_odd_ones_are_refused(drawn: Path) -> None:
    assert draws(drawn, 16).batch == 8
    with pytest.raises(ValueError, match=r"schedule\.batch_size: 9"):
        draws(drawn, 9, 0, 2)
