"""Counts a model's multiply-adds with PyTorch's own flop counter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from hiseg_training.models.fine import CHANNELS
from hiseg_training.models.hierarchical import HierarchicalModel


@dataclass(frozen=True)
class Complexity:
    """What a model costs.

    Attributes:
        gmac_per_image: billions of multiply-adds (matrix products and convolutions) of the coarse stage, per image.
        gmac_per_person: the same of the fine stage, per person.
        parameters_m: millions of weights.
    """

    gmac_per_image: float
    gmac_per_person: float
    parameters_m: float


def complexity(model: HierarchicalModel, canvas: tuple[int, int] = (640, 640)) -> Complexity:
    """Count the coarse stage on one canvas of (height, width) ``canvas`` and the fine stage on one person."""
    height, width = model.config.mask_size
    reduction = model.config.coarse_reduction
    reduced = torch.zeros(1, 3, canvas[0] // reduction, canvas[1] // reduction)
    boxes = torch.zeros(1, 1, canvas[0] // reduction, canvas[1] // reduction)
    return Complexity(
        gmac_per_image=gmac(model.coarse, reduced, boxes),
        gmac_per_person=gmac(model.fine, torch.zeros(1, CHANNELS, height, width)),
        parameters_m=sum(p.numel() for p in model.parameters()) / 1e6,
    )


def gmac(module: torch.nn.Module, *inputs: torch.Tensor) -> float:
    """Return the billions of multiply-adds of one call of a module."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return float(counter.get_total_flops() / 2e9)
