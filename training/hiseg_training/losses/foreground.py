"""Loss of the coarse stage: cross-entropy and Dice of the foreground."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hiseg_training.losses.pixels import binary_cross_entropy, soft_dice


@dataclass(frozen=True, slots=True)
class ForegroundLossConfig:
    """Weights of the terms.

    Attributes:
        cross_entropy: of the binary cross-entropy.
        dice: of the foreground's Dice loss.
        focal_gamma: exponent of the cross-entropy's focal factor; 0 turns it off.
        positive_weight: weight of a person's pixel in the cross-entropy against one of the background.

    Raises:
        ValueError: a value isn't a finite number of at least 0; the message begins with its name.
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
    logits: torch.Tensor,
    target: torch.Tensor,
    config: ForegroundLossConfig | None = None,
    known: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Compute all terms.

    Args:
        logits: float log-odds ``[B, 1, h, w]``; B may be 0.
        target: float 0..1 ``[B, 1, h, w]``; a cell may be partly covered.
        config: weights of the terms.
        known: float 0..1 of the target's shape, how much a cell counts in the cross-entropy; in Dice those of over a
            half count. None counts all.

    Returns:
        float32 scalars by name: ``cross_entropy`` and ``dice``, unweighted, and their weighted sum ``total``; 0 without
        images.
    """
    config = config or ForegroundLossConfig()
    logits, target = logits.float(), target.float()
    terms = {
        "cross_entropy": binary_cross_entropy(
            logits, target, known, positive_weight=config.positive_weight, gamma=config.focal_gamma
        ),
        "dice": soft_dice(logits.sigmoid()[:, 0], target[:, 0], None if known is None else known[:, 0] > 0.5),
    }
    total = config.cross_entropy * terms["cross_entropy"] + config.dice * terms["dice"]
    return {**terms, "total": total}
