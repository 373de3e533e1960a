"""Counts a model's multiply-adds with PyTorch's own flop counter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from hiseg_training.models.fine import CHANNELS
from hiseg_training.models.hierarchical import HierarchicalModel


@dataclass(frozen=True)
class Complexity:
    """What a model, or the file of one stage, costs.

    Attributes:
        gmac_per_image: billions of multiply-adds (matrix products and convolutions) of the coarse stage, per image; 0
            without it.
        gmac_per_person: the same of the fine stage, per person.
        parameters_m: millions of weights.
    """

    gmac_per_image: float
    gmac_per_person: float
    parameters_m: float


def complexity(
    model: HierarchicalModel, canvas: tuple[int, int] = (640, 640), *, masks: bool = True, foreground: bool = True
) -> Complexity:
    """Count the coarse stage on one canvas and the fine stage on one person.

    Args:
        model: any.
        canvas: (height, width), in pixels.
        masks: whether the fine stage is there.
        foreground: whether the coarse stage is.
    """
    height, width = model.config.mask_size
    reduction = model.config.coarse_reduction
    reduced = torch.zeros(1, 3, canvas[0] // reduction, canvas[1] // reduction)
    boxes = torch.zeros(1, 1, canvas[0] // reduction, canvas[1] // reduction)
    stages = [stage for stage, there in ((model.coarse, foreground), (model.fine, masks)) if there]
    return Complexity(
        gmac_per_image=gmac(model.coarse, reduced, boxes) if foreground else 0.0,
        gmac_per_person=gmac(model.fine, torch.zeros(1, CHANNELS, height, width)) if masks else 0.0,
        parameters_m=sum(p.numel() for stage in stages for p in stage.parameters()) / 1e6,
    )


def gmac(module: torch.nn.Module, *inputs: torch.Tensor) -> float:
    """Return the billions of multiply-adds of one call of a module."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return float(counter.get_total_flops() / 2e9)
