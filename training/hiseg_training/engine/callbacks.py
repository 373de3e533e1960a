"""What happens after a step and after an epoch: weights are averaged, and checkpoints written and cleaned up.

A run leaves the checkpoints of its last few epochs and the best one, under upstream's file names.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hiseg_training.config.model import ModelConfig, Size
from hiseg_training.engine.checkpoints import write_atomically
from hiseg_training.engine.lightning import TorchCheckpointIO, WeightAveraging, lightning
from hiseg_training.engine.task import FIT, SCORE


def moving_average(max_decay: float) -> Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor | int], None]:
    """Update function of an exponential moving average whose decay rises with the steps, up to ``max_decay``.

    A short run so forgets its random start too.
    """

    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], steps: torch.Tensor | int) -> None:
        decay = min(max_decay, (1 + float(steps)) / (10 + float(steps)))
        for old, new in zip(averaged, current, strict=True):
            # Batch norms' counters of batches are integers, and can't be averaged.
            old.lerp_(new, 1 - decay) if old.is_floating_point() else old.copy_(new)

    return update


class EMA(WeightAveraging):
    """Keeps an exponential moving average of the weights, which is what is validated, saved and kept at the end."""

    def __init__(self, max_decay: float) -> None:
        super().__init__(multi_avg_fn=moving_average(max_decay))


@dataclass(frozen=True)
class CheckpointNaming:
    """Names of a stage's checkpoints.

    Attributes:
        epoch: makes a file's name of an epoch counted from 1, a score 0..1 and the canvas.
        best: prefix of the best checkpoint's names.
    """

    epoch: Callable[[int, float, Size], str]
    best: str


def _with_score(epoch: int, score: float, canvas: Size) -> str:
    return f"epoch_{epoch:04d}_{canvas[0]}x{canvas[1]}_{round(score * 1000):04d}.pth"


INSTANCES = CheckpointNaming(
    lambda epoch, score, canvas: "checkpoint_" + _with_score(epoch, score, canvas), "best_model"
)
FOREGROUND = CheckpointNaming(
    lambda epoch, score, canvas: "foreground_" + _with_score(epoch, score, canvas), "best_foreground"
)
FINDER = CheckpointNaming(lambda epoch, score, canvas: "finder_" + _with_score(epoch, score, canvas), "best_finder")
DISTILLATION = CheckpointNaming(lambda epoch, score, canvas: f"distillation_epoch_{epoch:03d}.pth", "best_student")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically, and reads them without running code that they may hold."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_atomically(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        return super().load_checkpoint(path, map_location, weights_only=True)


class Checkpoints(lightning.Callback):
    """Writes a checkpoint after each epoch, and keeps the last few and the best.

    The best one has two names, such as ``best_model_epoch_0042_640x640_0812.pth`` and, by variant,
    ``best_model_b0_64x48_0.8123.pth``: hard links to one file where the file system supports them.

    Args:
        folder: where they are written.
        naming: names of the stage's checkpoints.
        config: the model's.
        canvas: (height, width), for the names.
        keep: number of latest epochs whose checkpoints are kept.
    """

    def __init__(self, folder: Path, naming: CheckpointNaming, config: ModelConfig, canvas: Size, keep: int) -> None:
        self.folder, self.naming, self.config, self.canvas, self.keep = folder, naming, config, canvas, keep
        self.best = -1.0
        self.best_epoch = 0
        self.written: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "written": list(self.written)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.written = state_dict["best"], list(state_dict["written"])
        self.best_epoch = state_dict.get("best_epoch", 0)  # older checkpoints don't say it

    @property
    def best_file(self) -> Path:
        """The best checkpoint, by the one of its two names that says its variant."""
        return self.folder / f"{self.naming.best}_{self._variant(self.best)}"

    def _variant(self, score: float) -> str:
        size = "x".join(map(str, self.config.roi_size))
        return f"{self.config.variant}_{size}_{score:.4f}.pth"

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        score, epoch = float(trainer.callback_metrics[SCORE]), trainer.current_epoch + 1
        name = self.naming.epoch(epoch, score, self.canvas)
        is_best = score > self.best
        if is_best:
            self.best, self.best_epoch = score, epoch
        self.written = [*(w for w in self.written if w != name), name]
        stale, self.written = self.written[: -self.keep], self.written[-self.keep :]
        trainer.save_checkpoint(self.folder / name)
        if not trainer.is_global_zero:
            return
        if is_best:
            self._link_best(self.folder / name, epoch, score)
        for old in stale:
            (self.folder / old).unlink(missing_ok=True)

    def _link_best(self, path: Path, epoch: int, score: float) -> None:
        """Give the checkpoint at ``path`` the names of the best one, and remove those of the former best."""
        names = (_with_score(epoch, score, self.canvas), self._variant(score))
        new = [self.folder / f"{self.naming.best}_{name}" for name in names]
        old = set(self.folder.glob(f"{self.naming.best}_*.pth")) - set(new)
        for best in new:
            partial = best.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            try:
                os.link(path, partial)
            except OSError:
                shutil.copy2(path, partial)
            partial.replace(best)
        for file in old:
            file.unlink()


class Report(lightning.Callback):
    """Says in a line after each epoch how good the model is, on ``val`` and on what it learns from."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        found = trainer.callback_metrics
        scores = f"val {found[SCORE]:.4f}, train {found[FIT]:.4f}, loss {found['train/total']:.4f}"
        minutes = (time.monotonic() - self.started) / 60
        epoch = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        trainer.print(f"{epoch}, step {trainer.global_step}, {minutes:.1f} min: {scores}")
