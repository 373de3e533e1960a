"""Runs a stage to its end: one process or several, from the start or from where it was interrupted."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from hiseg_training.config.run import Configuration
from hiseg_training.data.coco import Photo
from hiseg_training.data.dataset import AugmentConfig, EpochSampler, People, collate
from hiseg_training.data.eval_dataset import EvalDataset
from hiseg_training.engine.checkpoint_files import CheckpointNaming, Checkpoints, WholeFiles
from hiseg_training.engine.ema import EMA
from hiseg_training.engine.sampler import DistributedBatchSampler
from hiseg_training.engine.task import SCORE, Task
from hiseg_training.torchvision_shim import declare_missing_operators

declare_missing_operators()

import lightning  # noqa: E402
from lightning.pytorch.callbacks import EarlyStopping, TQDMProgressBar  # noqa: E402
from lightning.pytorch.loggers import TensorBoardLogger  # noqa: E402
from lightning.pytorch.strategies import DDPStrategy  # noqa: E402

QUIET = (
    # What it says is decided here on purpose: few workers beside few cores, a GPU left alone, frozen parts, own files.
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*You called `self.log.*",
    # Lightning looks for optional programs in a way that newer Pythons warn of.
    ".*pkg_resources.*",
)


@dataclass(frozen=True)
class Place:
    """Which of a run's processes this one is; ``torchrun`` says so."""

    rank: int
    world: int
    local: int

    @classmethod
    def here(cls) -> Place:
        rank, world, local = (
            int(os.environ.get(name, end)) for name, end in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_WORLD_SIZE", 1))
        )
        return cls(rank, world, local)


def recipe(configuration: Configuration) -> AugmentConfig:
    """How samples are made."""
    data = configuration.data
    return AugmentConfig(
        data.canvas, data.scales, data.people, data.paste, data.jitter, data.loose, data.ccp, data.augment
    )


def run(
    task: Task,
    train: list[Photo],
    val: list[Photo],
    folder: Path,
    names: CheckpointNaming,
    resume: Path | None = None,
    wrap: Callable[[People], Dataset[Any]] = lambda people: people,
    gather: Callable[[list[Any]], Any] = collate,
) -> None:
    """Train; the model in ``task`` ends with the averaged weights.

    Args:
        folder: ``checkpoints/`` and ``logs/`` go there.
        names: of the checkpoints.
        resume: checkpoint of a run to go on with.
        wrap: makes of samples what the task is trained on.
        gather: makes a batch of several.

    Raises:
        ValueError: the schedule asks for what can't be had here; names the field.
    """
    configuration, place = task.configuration, Place.here()
    schedule, data = configuration.schedule, configuration.data
    precision = _precision(schedule.precision)
    people = People(train, recipe(configuration), schedule.seed)
    if data.workers:
        people.preload()
    draws = DistributedBatchSampler(EpochSampler(people, schedule.seed), schedule.batch_size, place.rank, place.world)
    loader = DataLoader(
        wrap(people),
        batch_size=draws.batch,
        sampler=draws,
        collate_fn=gather,
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
        drop_last=True,
    )
    views = EvalDataset(val, data.canvas)
    check = DataLoader(
        views,
        batch_size=min(8, schedule.batch_size),
        sampler=range(place.rank, len(views), place.world),
        collate_fn=collate,
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
    )
    callbacks: list[lightning.Callback] = [
        EMA(schedule.average),
        Checkpoints(folder / "checkpoints", names, task.model.config, data.canvas, schedule.keep),
        TQDMProgressBar(refresh_rate=10),
    ]
    if schedule.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=schedule.patience))
    # Its tips and its account of the hardware; warnings and progress stay.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in QUIET:
            warnings.filterwarnings("ignore", message)
        trainer = lightning.Trainer(
            max_epochs=schedule.epochs,
            precision=precision,  # type: ignore[arg-type]
            accumulate_grad_batches=schedule.accumulate,
            gradient_clip_val=schedule.clip,
            callbacks=callbacks,
            logger=TensorBoardLogger(folder, name="", version="logs"),
            plugins=[WholeFiles()],
            devices=place.local,
            num_nodes=place.world // place.local,
            strategy=_strategy(place),
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            deterministic="warn" if torch.cuda.is_available() else True,
        )
        trainer.fit(task, loader, check, ckpt_path=resume, weights_only=True)


def _precision(wanted: str) -> str:
    if wanted == "16-mixed" and not torch.cuda.is_available():
        raise ValueError("schedule.precision: 16-mixed needs a GPU; a CPU takes bf16-mixed and 32-true")
    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"


def _strategy(place: Place) -> Any:
    if place.world == 1:
        return "auto"
    # Which weights take part changes: crops may be empty, encoders unfreeze.
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    return DDPStrategy(find_unused_parameters=True, process_group_backend=backend)
