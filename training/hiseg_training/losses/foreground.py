"""What the coarse stage is trained to make small."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hiseg_training.losses.overlap import soft_dice
from hiseg_training.losses.pixels import binary_cross_entropy


@dataclass(frozen=True, slots=True)
class ForegroundLossConfig:
    """Weights of the terms.

    Attributes:
        cross_entropy: binary cross-entropy.
        dice: of the foreground.
        focal_gamma: of the cross-entropy's focal factor; 0 is none.
        positive_weight: how much more a person's pixel counts than one of the background.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    focal_gamma: float = 0.0
    positive_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: {value} is not a finite number of at least 0")


def foreground_loss(
    logits: torch.Tensor, truth: torch.Tensor, config: ForegroundLossConfig | None = None
) -> dict[str, torch.Tensor]:
    """Every term, unweighted, and their weighted sum as ``total``; all float32, 0 without images.

    Args:
        logits: float ``[B, 1, h, w]``.
        truth: float 0..1 ``[B, 1, h, w]``; a cell may be partly covered.
        config: weights of the terms.
    """
    config = config or ForegroundLossConfig()
    logits, truth = logits.float(), truth.float()
    terms = {
        "cross_entropy": binary_cross_entropy(
            logits, truth, positive_weight=config.positive_weight, gamma=config.focal_gamma
        ),
        "dice": soft_dice(logits.sigmoid()[:, 0], truth[:, 0]),
    }
    total = config.cross_entropy * terms["cross_entropy"] + config.dice * terms["dice"]
    return {**terms, "total": total}
