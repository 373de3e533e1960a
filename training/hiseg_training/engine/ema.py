"""An average of the weights, whose memory grows with the steps: a short run forgets its random start too."""

from __future__ import annotations

from collections.abc import Callable

import torch

from hiseg_training.torchvision_shim import declare_missing_operators

declare_missing_operators()

from lightning.pytorch.callbacks import WeightAveraging  # noqa: E402


def moving_average(most: float) -> Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor | int], None]:
    """Exponential moving average that keeps at most ``most`` of itself each step."""

    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], steps: torch.Tensor | int) -> None:
        keep = min(most, (1 + float(steps)) / (10 + float(steps)))
        for old, new in zip(averaged, current, strict=True):
            # Counters of seen batches are whole numbers: there is nothing to average.
            old.lerp_(new, 1 - keep) if old.is_floating_point() else old.copy_(new)

    return update


class EMA(WeightAveraging):
    """What is measured, saved and kept is the average; what learns is not."""

    def __init__(self, most: float) -> None:
        super().__init__(multi_avg_fn=moving_average(most))
