"""Multiply-adds, counted by torch's own flop counter on the modules as they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from hiseg_training.models.fine import CHANNELS
from hiseg_training.models.hierarchical import HierarchicalModel


@dataclass(frozen=True)
class Complexity:
    """Billions of multiply-adds (matrix products and convolutions), and millions of weights."""

    gmac_per_image: float
    gmac_per_person: float
    parameters_m: float


def complexity(model: HierarchicalModel, canvas: tuple[int, int] = (640, 640)) -> Complexity:
    """Count the coarse stage on one canvas and the fine stage on one person."""
    height, width = model.config.mask_size
    prior = torch.zeros(1, model.coarse.feature_channels + 1, height // 4, width // 4)
    reduction = model.config.coarse_reduction
    reduced = torch.zeros(1, 3, canvas[0] // reduction, canvas[1] // reduction)
    boxes = torch.zeros(1, 1, canvas[0] // reduction, canvas[1] // reduction)
    return Complexity(
        gmac_per_image=gmac(model.coarse, reduced, boxes),
        gmac_per_person=gmac(model.fine, torch.zeros(1, CHANNELS, height, width), prior),
        parameters_m=sum(p.numel() for p in model.parameters()) / 1e6,
    )


def gmac(module: torch.nn.Module, *inputs: torch.Tensor) -> float:
    """Billions of multiply-adds of one call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return counter.get_total_flops() / 2e9
