"""The training loop: AdamW, warm-up and cosine, an average of the weights, checkpoints that can be used at any time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from training.checkpoint import save_checkpoint
from training.data.coco import Photo
from training.data.dataset import EpochSampler, People, collate
from training.models.hierarchical import HierarchicalModel
from training.stages.objectives import STAGES


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: passes over the photos.
        minutes: stop earlier if this much time has gone; the learning rate follows whichever ends first.
        learning_rate: at the peak.
        ema: share of the averaged weights kept each step, once there is something to keep.
        workers: processes that make samples.
        seed: of the samples.
    """

    epochs: int = 40
    minutes: float = math.inf
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.02
    ema: float = 0.998
    workers: int = 1
    seed: int = 0

    def rate(self, progress: float) -> float:
        """Learning rate at ``progress`` 0..1: linear warm-up, then half a cosine to 1 %."""
        if progress < self.warmup:
            return self.learning_rate * (progress / self.warmup + 1e-3)
        after = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * after)))


def fit(
    model: HierarchicalModel, photos: list[Photo], stage_name: str, schedule: Schedule, output: Path
) -> HierarchicalModel:
    """Train one stage.

    Args:
        model: changed in place.
        photos: what to train on; kept decoded in memory.
        stage_name: one of ``STAGES``.
        output: folder for ``checkpoint.pt`` (averaged weights, rewritten each epoch) and ``log.jsonl``.

    Returns:
        The model with averaged weights, in eval mode.
    """
    output.mkdir(parents=True, exist_ok=True)
    stage = STAGES[stage_name]
    data = People(photos, stage.recipe, schedule.seed)
    data.preload()
    sampler = EpochSampler(data, schedule.seed)
    loader = DataLoader(
        data,
        batch_size=stage.batch_images,
        sampler=sampler,
        collate_fn=collate,
        num_workers=schedule.workers,
        persistent_workers=schedule.workers > 0,
        drop_last=True,
    )
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(_groups(list(stage.trained(model).parameters()), schedule.weight_decay), lr=0.0)
    average = AveragedModel(model, multi_avg_fn=_moving_average(schedule.ema), use_buffers=True)
    total, step, start = schedule.epochs * len(loader), 0, time.monotonic()
    for epoch in range(schedule.epochs):
        model.train()
        losses = []
        for batch in tqdm(loader, desc=f"{stage_name} {epoch + 1}/{schedule.epochs}", mininterval=10):
            progress = max(step / total, (time.monotonic() - start) / 60 / schedule.minutes)
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(progress)
            if len(batch.rois) < 2:
                continue
            loss = stage.loss(model, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(stage.trained(model).parameters(), 5.0)
            optimizer.step()
            average.update_parameters(model)
            losses.append(loss.item())
            step += 1
            if progress >= 1:
                break
        minutes = (time.monotonic() - start) / 60
        with (output / "log.jsonl").open("a") as log:
            mean = sum(losses) / max(1, len(losses))
            log.write(json.dumps({"stage": stage_name, "epoch": epoch + 1, "loss": mean, "minutes": minutes}) + "\n")
        save_checkpoint(output / "checkpoint.pt", average.module, {"stage": stage_name, "schedule": asdict(schedule)})
        if minutes >= schedule.minutes:
            break
    result: HierarchicalModel = average.module
    return result.eval()


def _moving_average(most: float) -> Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor | int], None]:
    """Exponential moving average whose memory grows with the steps, so that the random start is soon forgotten."""

    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], steps: torch.Tensor | int) -> None:
        keep = min(most, (1 + float(steps)) / (10 + float(steps)))
        for old, new in zip(averaged, current, strict=True):
            # Counters of seen batches are whole numbers: there is nothing to average.
            old.lerp_(new, 1 - keep) if old.is_floating_point() else old.copy_(new)

    return update


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Decay matrices and filters, not biases and norms."""
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
