"""What gives a stage its batches: canvases for the coarse stage, crops of people for the fine one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset

from hiseg_training.config.run import Configuration
from hiseg_training.crops.augment import CropAugment
from hiseg_training.crops.batch import CropBatch
from hiseg_training.crops.batch import collate as collate_crops
from hiseg_training.crops.dataset import CropDataset, Draw, PlainCrops, draw_weights, fixed_people
from hiseg_training.crops.store import default_folder, open_store
from hiseg_training.data.coco import Photo
from hiseg_training.data.dataset import AugmentConfig, EpochSampler, PersonDataset, collate
from hiseg_training.data.eval_dataset import FIXED_PEOPLE, EvalDataset, some_photos
from hiseg_training.engine.process import ProcessRank
from hiseg_training.engine.sampler import CropBatchSampler, DistributedBatchSampler

SCORED_TOGETHER = 32
"""Crops of a batch that is scored."""


class Loaders(NamedTuple):
    """Batches of one process of a run.

    Attributes:
        train: of an epoch, to learn from.
        val: to choose the best checkpoint by.
        fit: a fixed part of the training data, without augmentation, scored as ``val`` is.
    """

    train: DataLoader[Any]
    val: DataLoader[Any]
    fit: DataLoader[Any]


def augment_config(configuration: Configuration) -> AugmentConfig:
    """The part of a run's configuration that says how canvases are made."""
    data = configuration.data
    return AugmentConfig(
        data.canvas, data.scales, data.people, data.paste, data.jitter, data.loose, data.ccp, data.augment
    )


def fixed_photos(photos: Sequence[Photo]) -> list[Photo]:
    """The training photos that each run is scored on: about :data:`FIXED_PEOPLE` people, everybody outlined by hand."""
    return some_photos([photo for photo in photos if photo.outlined and photo.guess is None], FIXED_PEOPLE)


def canvas_loaders(
    configuration: Configuration,
    train: list[Photo],
    val: list[Photo],
    process: ProcessRank,
    wrap: Callable[[PersonDataset], Dataset[Any]] = lambda people: people,
    collate_fn: Callable[[list[Any]], Any] = collate,
) -> Loaders:
    """Batches of canvases.

    Args:
        configuration: of the run.
        train: photos to learn from.
        val: photos to score each epoch by.
        process: which of the run's processes this is.
        wrap: makes the data set that the stage takes of the samples.
        collate_fn: makes a batch of several rows of that data set.

    Raises:
        ValueError: the batches can't be divided among the processes; the message names the field.
    """
    schedule, data = configuration.schedule, configuration.data
    people = PersonDataset(train, augment_config(configuration), schedule.seed)
    if data.workers:
        people.preload()
    sampler = DistributedBatchSampler(
        EpochSampler(people, schedule.seed), schedule.batch_size, process.rank, process.world
    )
    loader = DataLoader(
        wrap(people),
        batch_size=sampler.batch,
        sampler=sampler,
        collate_fn=collate_fn,
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
        drop_last=True,
    )

    def scored(photos: list[Photo]) -> DataLoader[Any]:
        canvases = EvalDataset(photos, data.canvas)
        return DataLoader(
            canvases,
            batch_size=min(8, schedule.batch_size),
            sampler=range(process.rank, len(canvases), process.world),
            collate_fn=collate,
            num_workers=data.workers,
            persistent_workers=data.workers > 0,
        )

    return Loaders(loader, scored(val), scored(fixed_photos(train)))


def crop_augment(configuration: Configuration) -> CropAugment | None:
    """The part of a run's configuration that says how crops are made; None leaves them as they are."""
    data = configuration.data
    if not data.augment:
        return None
    return CropAugment(data.paste, data.things, loose=data.loose, jitter=data.jitter, colour=data.colour)


class CropBatches(Dataset[CropBatch]):
    """The batches that draws of people make."""

    def __init__(self, people: CropDataset) -> None:
        self.people = people

    def __getitem__(self, draws: list[Draw]) -> CropBatch:
        return collate_crops([self.people[draw] for draw in draws])


def crop_loaders(
    configuration: Configuration,
    train: list[Photo],
    val: list[Photo],
    process: ProcessRank,
    spent: Callable[[], float],
    animals: Sequence[Photo] = (),
) -> Loaders:
    """Batches of people's crops, which are cut first unless an earlier run has cut them.

    Args:
        configuration: of the run.
        train: photos to learn from; of people without outlines nothing is learnt.
        val: photos to score each epoch by.
        process: which of the run's processes this is.
        spent: says which share 0..1 of the run's time is over, where that is limited.
        animals: photos of outlined animals, which are pasted before and beside people.

    Raises:
        ValueError: the batches can't be divided among the processes, or nobody is left to learn from.
    """
    schedule, data, model = configuration.schedule, configuration.data, configuration.model
    folder = data.crops or default_folder()
    store = open_store(train, folder)
    things = open_store(animals, folder) if animals else None
    people = CropDataset(store, crop_augment(configuration), model.context, schedule.seed, things)
    loader = DataLoader(
        CropBatches(people),
        batch_size=None,
        sampler=CropBatchSampler(draw_weights(store, data.ccp).tolist(), configuration, process, spent),
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
    )

    def scored(crops: PlainCrops) -> DataLoader[Any]:
        return DataLoader(
            crops,
            batch_size=SCORED_TOGETHER,
            sampler=range(process.rank, len(crops), process.world),
            collate_fn=collate_crops,
        )

    known = fixed_people(store, FIXED_PEOPLE)
    return Loaders(
        loader,
        scored(PlainCrops(open_store(val, folder, annotated=True), model.mask_size, model.context)),
        scored(PlainCrops(store, model.mask_size, model.context, known)),
    )
