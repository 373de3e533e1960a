"""Processes share an epoch's draws; together they are what one process draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override
from hiseg_training.crops.dataset import Draw
from hiseg_training.data.dataset import AugmentConfig, EpochSampler, PersonDataset
from hiseg_training.data.eval_dataset import read_photos
from hiseg_training.engine.process import ProcessRank
from hiseg_training.engine.sampler import CropBatchSampler, DistributedBatchSampler


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


def crops(people: int = 50, rank: int = 0, world: int = 1, spent: float = 0.0, rare: float = 1.0) -> CropBatchSampler:
    """Batches of 8; half the run at half the size."""
    values = {"schedule.batch_size": 8, "schedule.epochs": 4, "instances.early": [[0.5, [64, 48]]]}
    weights = [rare] * 10 + [1.0] * (people - 10)
    return CropBatchSampler(weights, override(configuration("b0"), values), ProcessRank(rank, world), lambda: spent)


def batches(sampler: CropBatchSampler, epoch: int) -> list[list[Draw]]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_small_crops_come_first_and_more_at_a_time() -> None:
    whole = crops()
    epochs = [batches(whole, epoch) for epoch in range(4)]
    assert [len(batch) for epoch in epochs for batch in epoch] == [12] * 12 + [8] * 12
    assert {draw.size for batch in epochs[1] for draw in batch} == {(64, 48)}
    assert {draw.size for batch in epochs[2] for draw in batch} == {(128, 96)}
    draws = [draw for epoch in epochs for batch in epoch for draw in batch]
    assert len({draw.number for draw in draws}) == len(draws), "no crop is made twice alike"
    assert batches(crops(), 2) == epochs[2], "an epoch depends on its number alone"
    assert {draw.person for batch in epochs[0] for draw in batch} == set(range(50)), "12 * 6 are more than one pass"
    assert batches(crops(spent=0.6), 0)[0][0].size == (128, 96), "time counts too, where it is limited"


def test_processes_share_each_batch_of_crops() -> None:
    for epoch in (0, 3):
        whole, parts = batches(crops(), epoch), [batches(crops(rank=rank, world=2), epoch) for rank in range(2)]
        assert [[*first, *second] for first, second in zip(*parts, strict=True)] == whole
    with pytest.raises(ValueError, match=r"schedule\.batch_size: 8 is not a multiple of 3"):
        crops(world=3)
    with pytest.raises(ValueError, match="a pass over 1 people is too short for 2 processes"):
        CropBatchSampler([1.0], configuration("b0"), ProcessRank(0, 2), lambda: 0.0)


def test_people_who_are_alike_come_less_often() -> None:
    rare = [draw.person < 10 for epoch in range(20) for batch in batches(crops(rare=0.2), epoch) for draw in batch]
    assert 0.02 < sum(rare) / len(rare) < 0.08
