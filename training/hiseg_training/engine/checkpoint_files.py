"""Which checkpoints a run leaves: the last few epochs, and the best, under the document's names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiseg_training.config.model import ModelConfig, Size
from hiseg_training.engine.checkpoints import write_whole
from hiseg_training.engine.task import SCORE
from hiseg_training.torchvision_shim import declare_missing_operators

declare_missing_operators()

import lightning  # noqa: E402
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO  # noqa: E402


@dataclass(frozen=True)
class CheckpointNaming:
    """How a stage's files are called.

    Attributes:
        epoch: of an epoch from 1 and a score 0..1.
        best: what the best one's name begins with.
    """

    epoch: Callable[[int, float, Size], str]
    best: str


def _scored(epoch: int, score: float, canvas: Size) -> str:
    return f"epoch_{epoch:04d}_{canvas[0]}x{canvas[1]}_{round(score * 1000):04d}.pth"


INSTANCES = CheckpointNaming(lambda epoch, score, canvas: "checkpoint_" + _scored(epoch, score, canvas), "best_model")
FOREGROUND = CheckpointNaming(
    lambda epoch, score, canvas: "foreground_" + _scored(epoch, score, canvas), "best_foreground"
)
DISTILLATION = CheckpointNaming(lambda epoch, score, canvas: f"distillation_epoch_{epoch:03d}.pth", "best_student")


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that are whole or not there, and are read without running what they hold."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_whole(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        return super().load_checkpoint(path, map_location, weights_only=True)


class Checkpoints(lightning.Callback):
    """Writes one after each epoch, keeps the last few, and the best under two names.

    The best is ``best_model_epoch_0042_640x640_0812.pth`` and, for who looks for a variant,
    ``best_model_b0_64x48_0.8123.pth``: one file with two names where the disk can do that.
    """

    def __init__(self, folder: Path, names: CheckpointNaming, config: ModelConfig, canvas: Size, keep: int) -> None:
        self.folder, self.names, self.config, self.canvas, self.keep = folder, names, config, canvas, keep
        self.best = -1.0
        self.written: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "written": list(self.written)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.written = state_dict["best"], list(state_dict["written"])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        score, epoch = float(trainer.callback_metrics[SCORE]), trainer.current_epoch + 1
        name = self.names.epoch(epoch, score, self.canvas)
        is_best = score > self.best
        self.best = max(self.best, score)
        self.written = [*(w for w in self.written if w != name), name]
        stale, self.written = self.written[: -self.keep], self.written[-self.keep :]
        trainer.save_checkpoint(self.folder / name)
        if not trainer.is_global_zero:
            return
        if is_best:
            self._name_best(self.folder / name, epoch, score)
        for old in stale:
            (self.folder / old).unlink(missing_ok=True)

    def _name_best(self, path: Path, epoch: int, score: float) -> None:
        size = "x".join(map(str, self.config.roi_size))
        names = (_scored(epoch, score, self.canvas), f"{self.config.variant}_{size}_{score:.4f}.pth")
        new = [self.folder / f"{self.names.best}_{name}" for name in names]
        old = set(self.folder.glob(f"{self.names.best}_*.pth")) - set(new)
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
