"""Base of all stages: optimiser and learning rate, logging, scores, and sums over the processes of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from hiseg_training.config.run import Configuration, Schedule
from hiseg_training.engine.lightning import lightning
from hiseg_training.models.hierarchical import HierarchicalModel

SCORE = "val_score"
"""Logged name of the score by which the best checkpoint is chosen; higher is better."""
FIT = "train_score"
"""Logged name of the same score on a fixed part of the training data: how far above it is says whether a run learns by
heart, how low it is whether it has learnt enough."""


class WeightGroup(NamedTuple):
    """Weights that an optimiser updates at one learning rate.

    Attributes:
        weights: to update.
        share: their learning rate as a multiple of the schedule's.
    """

    weights: Sequence[nn.Parameter]
    share: float = 1.0


def learning_rate(schedule: Schedule, progress: float) -> float:
    """Learning rate at ``progress`` 0..1 of a run: linear warm-up, then half a cosine (Loshchilov & Hutter, 2016,
    arXiv:1608.03983)."""
    if progress < schedule.warm_up:
        return schedule.learning_rate * (progress / schedule.warm_up + 1e-3)
    after = min(1.0, (progress - schedule.warm_up) / max(1e-9, 1 - schedule.warm_up))
    cosine = 0.5 * (1 + math.cos(math.pi * after))
    return schedule.learning_rate * (schedule.final_rate + (1 - schedule.final_rate) * cosine)


def mask_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of pairs of masks.

    Args:
        a: bool ``[N, ...]``.
        b: bool of the same shape.

    Returns:
        float 0..1 ``[N]``; 1 where both masks are empty.
    """
    a, b = a.flatten(1), b.flatten(1)
    union = (a | b).sum(1)
    return torch.where(union > 0, (a & b).sum(1) / union.clamp(min=1), 1.0)


def encoder_apart(stage: nn.Module, encoder: nn.Module, share: float) -> list[WeightGroup]:
    """All weights of a stage, of which its encoder's learn at ``share`` of the learning rate."""
    inside = {id(weight) for weight in encoder.parameters()}
    rest = [weight for weight in stage.parameters() if id(weight) not in inside]
    return [WeightGroup(rest), WeightGroup(list(encoder.parameters()), share)]


@dataclass
class Mean:
    """A mean of values that come in parts.

    Attributes:
        total: their sum so far.
        count: their number so far.
    """

    total: float = 0.0
    count: int = 0

    def add(self, values: torch.Tensor) -> None:
        """Take float ``[N]`` in."""
        self.total += float(values.double().sum())
        self.count += len(values)


class Task(lightning.LightningModule):
    """One stage of training: its loss, its score and its optimiser.

    Stages implement :meth:`weight_groups`, :meth:`loss_terms` and :meth:`scores`.

    Args:
        model: trained in place.
        configuration: of the run; it is stored in every checkpoint.
    """

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__()
        self.model: HierarchicalModel = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.configuration = configuration
        self._means = {SCORE: Mean(), FIT: Mean()}
        self._losses = torch.zeros(())
        self._started = time.monotonic()
        self.spent = 0.0
        """Which share of ``schedule.minutes`` is over, 0..1; 0 without that limit."""

    def weight_groups(self) -> list[WeightGroup]:
        """The weights to train."""
        raise NotImplementedError

    def loss_terms(self, batch: Any) -> dict[str, torch.Tensor]:
        """Terms of the loss of a batch by name, and as ``total`` the scalar to minimise."""
        raise NotImplementedError

    def scores(self, batch: Any) -> torch.Tensor:
        """Scores of a batch, float 0..1 ``[N]``, one for each person or canvas."""
        raise NotImplementedError

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.configuration.schedule.weight_decay
        groups = []
        for weights, share in self.weight_groups():
            # Matrices and filters decay, biases and norms don't.
            for matrices, amount in ((True, decay), (False, 0.0)):
                chosen = [weight for weight in weights if (weight.ndim > 1) == matrices]
                if chosen:
                    groups.append({"params": chosen, "weight_decay": amount, "share": share})
        return torch.optim.AdamW(groups, lr=0.0)

    def on_train_epoch_start(self) -> None:
        # Random numbers depend on the epoch alone, so that a resumed run draws the same.
        torch.manual_seed(self.configuration.schedule.seed * 1000003 + self.current_epoch)
        self._losses = torch.zeros((), device=self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        schedule = self.configuration.schedule
        progress = self.trainer.global_step / float(self.trainer.estimated_stepping_batches)
        if schedule.minutes:
            self.spent = self.trainer.strategy.broadcast((time.monotonic() - self._started) / 60 / schedule.minutes)
            self.trainer.should_stop = self.trainer.should_stop or self.spent >= 1
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = learning_rate(schedule, max(progress, self.spent)) * group["share"]

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        terms = self.loss_terms(batch)
        for name, value in terms.items():
            self.log(f"train/{name}", value.detach(), on_step=False, on_epoch=True, batch_size=1)
        self.log("loss", terms["total"].detach(), prog_bar=True, batch_size=1)
        self._losses += terms["total"].detach()
        return terms["total"]

    def on_validation_start(self) -> None:
        # Checked once an epoch, before anything is measured or saved: at each step it would make a GPU wait.
        if not math.isfinite(self._losses):
            raise ValueError(
                f"loss: it became {float(self._losses)} in epoch {self.current_epoch + 1}; a lower "
                "schedule.learning_rate may help, or schedule.precision=32-true. What was saved before is as it was"
            )

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._means[(SCORE, FIT)[dataloader_idx]].add(self.scores(batch))

    def on_validation_epoch_end(self) -> None:
        for name, mean in self._means.items():
            self.log(name, self.mean_over_processes(mean), prog_bar=True)
            self._means[name] = Mean()

    def mean_over_processes(self, mean: Mean) -> float:
        """Mean of all processes' values; 0 if there is none."""
        sums = self.sum_over_processes(torch.tensor([mean.total, mean.count], dtype=torch.float64)).tolist()
        return float(sums[0] / max(1.0, sums[1]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.model.config.to_dict()
        checkpoint["configuration"] = self.configuration.model_dump(mode="json")

    def sum_over_processes(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of a float tensor of any shape over the run's processes, on the CPU if there are several."""
        if self.trainer.world_size == 1:
            return values
        values = values.float() if self.device.type == "mps" else values
        gathered = self.all_gather(values.to(self.device))
        assert isinstance(gathered, torch.Tensor)
        return gathered.sum(0).cpu()

    def balance(self, count: int) -> float:
        """Factor for a mean over ``count`` items of this process.

        Processes have different numbers of people. With this factor the mean of all processes' gradients is that of
        one process with all items.
        """
        if self.trainer.world_size == 1:
            return 1.0
        total = float(self.sum_over_processes(torch.tensor([float(count)])))
        return count * self.trainer.world_size / total if total else 0.0
