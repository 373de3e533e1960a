"""What all stages share: which weights move and how fast, and how the processes of a run count as one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from hiseg_training.torchvision_shim import declare_missing_operators

declare_missing_operators()

import lightning  # noqa: E402

from hiseg_training.config.run import Configuration, Schedule  # noqa: E402
from hiseg_training.models.hierarchical import HierarchicalModel  # noqa: E402

SCORE = "val_score"
"""What the best checkpoint is chosen by; higher is better."""


class Group(NamedTuple):
    """Weights that move, and how fast as a share of the schedule's rate."""

    weights: Sequence[nn.Parameter]
    share: float = 1.0


def rate(schedule: Schedule, progress: float) -> float:
    """Learning rate at ``progress`` 0..1: linear warm-up, then half a cosine."""
    if progress < schedule.warm_up:
        return schedule.learning_rate * (progress / schedule.warm_up + 1e-3)
    after = min(1.0, (progress - schedule.warm_up) / max(1e-9, 1 - schedule.warm_up))
    cosine = 0.5 * (1 + math.cos(math.pi * after))
    return schedule.learning_rate * (schedule.final_rate + (1 - schedule.final_rate) * cosine)


class Task(lightning.LightningModule):
    """A stage: its loss, its score, its optimiser.

    Args:
        model: trained in place.
        configuration: goes into every checkpoint.
    """

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.configuration = configuration
        self._sum, self._count = 0.0, 0
        self._losses = torch.zeros(())
        self._started = time.monotonic()

    def groups(self) -> list[Group]:
        """The weights that move."""
        raise NotImplementedError

    def terms(self, batch: Any) -> dict[str, torch.Tensor]:
        """Every term of the loss by name, and their sum as ``total``."""
        raise NotImplementedError

    def scores(self, batch: Any) -> torch.Tensor:
        """A score 0..1 for each person or image."""
        raise NotImplementedError

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.configuration.schedule.weight_decay
        groups = []
        for weights, share in self.groups():
            # Matrices and filters decay, biases and norms don't.
            for matrices, amount in ((True, decay), (False, 0.0)):
                chosen = [weight for weight in weights if (weight.ndim > 1) == matrices]
                if chosen:
                    groups.append({"params": chosen, "weight_decay": amount, "share": share})
        return torch.optim.AdamW(groups, lr=0.0)

    def on_train_epoch_start(self) -> None:
        # Whatever is drawn at random depends on the epoch alone, so that a resumed run draws the same.
        torch.manual_seed(self.configuration.schedule.seed * 1000003 + self.current_epoch)
        self._losses = torch.zeros((), device=self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        schedule = self.configuration.schedule
        progress = self.trainer.global_step / float(self.trainer.estimated_stepping_batches)
        if schedule.minutes:
            spent = self.trainer.strategy.broadcast((time.monotonic() - self._started) / 60 / schedule.minutes)
            progress = max(progress, spent)
            self.trainer.should_stop = self.trainer.should_stop or spent >= 1
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate(schedule, progress) * group["share"]

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        terms = self.terms(batch)
        for name, value in terms.items():
            self.log(f"train/{name}", value.detach(), on_step=False, on_epoch=True, batch_size=1)
        self.log("loss", terms["total"].detach(), prog_bar=True, batch_size=1)
        self._losses += terms["total"].detach()
        return terms["total"]

    def on_validation_start(self) -> None:
        # Once an epoch, before anything is measured or saved: asking a GPU at each step would make it wait.
        if not math.isfinite(self._losses):
            raise ValueError(
                f"loss: it became {float(self._losses)} in epoch {self.current_epoch + 1}; a lower "
                "schedule.learning_rate may help, or schedule.precision=32-true. What was saved before is as it was"
            )

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        scores = self.scores(batch).double()
        self._sum += float(scores.sum())
        self._count += len(scores)

    def on_validation_epoch_end(self) -> None:
        total, count = self.across(torch.tensor([self._sum, float(self._count)], dtype=torch.float64)).tolist()
        self._sum, self._count = 0.0, 0
        self.log(SCORE, total / max(1.0, count), prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.model.config.to_dict()
        checkpoint["configuration"] = self.configuration.model_dump(mode="json")

    def across(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the run's processes."""
        if self.trainer.world_size == 1:
            return values
        values = values.float() if self.device.type == "mps" else values
        gathered: torch.Tensor = self.all_gather(values.to(self.device))
        return gathered.sum(0).cpu()

    def balance(self, count: int) -> float:
        """What a mean over ``count`` things of this process is multiplied by, so that the mean of all processes'
        gradients is that of one process with everything: processes have different numbers of people."""
        if self.trainer.world_size == 1:
            return 1.0
        everybody = float(self.across(torch.tensor([float(count)])))
        return count * self.trainer.world_size / everybody if everybody else 0.0


def moving(weights: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Those that aren't frozen."""
    return [weight for weight in weights if weight.requires_grad]
