"""Trains a stage to its end: on one process or several, from the start or from where it was interrupted."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from hiseg_training.engine.callbacks import EMA, AtomicCheckpointIO, CheckpointNaming, Checkpoints, Report
from hiseg_training.engine.lightning import DDPStrategy, EarlyStopping, TensorBoardLogger, TQDMProgressBar, lightning
from hiseg_training.engine.loaders import Loaders
from hiseg_training.engine.process import ProcessRank
from hiseg_training.engine.task import SCORE, Task

IGNORED_WARNINGS = (
    # These report deliberate choices: few workers beside few cores, an unused GPU, frozen parts, own checkpoint files.
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*You called `self.log.*",
    # The score is summed over the processes already; of the loss's terms one process's are enough.
    ".*when logging on epoch level in distributed setting.*",
    # Lightning gathers scores by a function that newer versions of torch advise against.
    ".*torch.distributed.nn.functional.all_gather is deprecated.*",
    # Lightning walks through nested values in a way that newer versions of torch advise against.
    ".*treespec, LeafSpec.*",
    # Lightning looks for optional programs in a way that newer Pythons warn of.
    ".*pkg_resources.*",
)


class Best(NamedTuple):
    """What a run has brought.

    Attributes:
        path: the checkpoint with the highest score.
        score: that score, 0..1.
        epoch: the epoch after which it was written, from 1; 0 if an old checkpoint was resumed and didn't say it.
    """

    path: Path
    score: float
    epoch: int


def run(
    task: Task,
    loaders: Callable[[ProcessRank], Loaders],
    folder: Path,
    naming: CheckpointNaming,
    resume: Path | None = None,
) -> Best:
    """Train; the model in ``task`` ends with the averaged weights.

    Args:
        task: the stage, with its model and configuration.
        loaders: makes what gives the stage its batches, in the given one of the run's processes.
        folder: ``checkpoints/`` and ``logs/`` are written there.
        naming: names of the checkpoints.
        resume: checkpoint of a run to continue.

    Returns:
        The best of all epochs, those before the run was resumed included.

    Raises:
        ValueError: the schedule can't be run here; the message names the field.
    """
    configuration, process = task.configuration, ProcessRank.from_environment()
    schedule, canvas = configuration.schedule, configuration.data.canvas
    precision = _precision(schedule.precision)
    given = loaders(process)
    checkpoints = Checkpoints(folder / "checkpoints", naming, task.model.config, canvas, schedule.keep)
    callbacks: list[lightning.Callback] = [
        EMA(schedule.average),
        checkpoints,
        TQDMProgressBar(refresh_rate=10),
        Report(),
    ]
    if schedule.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=schedule.patience))
    # Lightning's tips and its list of the hardware are left out; warnings and progress stay.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in IGNORED_WARNINGS:
            warnings.filterwarnings("ignore", message)
        trainer = lightning.Trainer(
            max_epochs=schedule.epochs,
            precision=precision,  # type: ignore[arg-type]
            accumulate_grad_batches=schedule.accumulate,
            gradient_clip_val=schedule.clip,
            callbacks=callbacks,
            logger=TensorBoardLogger(folder, name="", version="logs"),
            plugins=[AtomicCheckpointIO()],
            devices=process.local,
            num_nodes=process.world // process.local,
            strategy=_strategy(process),
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            deterministic="warn" if torch.cuda.is_available() else True,
        )
        trainer.fit(task, given.train, [given.val, given.fit], ckpt_path=resume, weights_only=True)
    return Best(checkpoints.best_file, checkpoints.best, checkpoints.best_epoch)


def _precision(wanted: str) -> str:
    """Lightning's precision for ``schedule.precision``."""
    if wanted == "16-mixed" and not torch.cuda.is_available():
        raise ValueError("schedule.precision: 16-mixed needs a GPU; a CPU takes bf16-mixed and 32-true")
    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"


def _strategy(process: ProcessRank) -> DDPStrategy | str:
    if process.world == 1:
        return "auto"
    # Which weights get gradients changes: canvases may have no people, and encoders are unfrozen.
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    return DDPStrategy(find_unused_parameters=True, process_group_backend=backend)
