"""Cross-entropy plus Dice, for three classes per person and for the foreground."""

from __future__ import annotations

import torch
import torch.nn.functional as F

BACKGROUND, TARGET, OTHER = 0, 1, 2


def soft_dice(probability: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - Dice coefficient of each sample (Milletari et al., 2016, arXiv:1606.04797), averaged.

    Args:
        probability: float 0..1 ``[N, h, w]``.
        truth: float 0/1 ``[N, h, w]``.
    """
    overlap = (probability * truth).sum((1, 2))
    total = probability.sum((1, 2)) + truth.sum((1, 2))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()


def three_class_labels(identities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Labels int64 ``[N, h, w]`` from identity crops ``[N, 1, h, w]`` and the identity each crop is about ``[N]``."""
    crops = identities[:, 0].round().long()
    return torch.where(crops == targets[:, None, None], TARGET, torch.where(crops > 0, OTHER, BACKGROUND))


def person_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over three classes plus Dice of the target.

    Args:
        logits: float ``[N, 3, h, w]``.
        labels: int64 ``[N, h, w]``.
    """
    target = logits.softmax(1)[:, TARGET]
    return F.cross_entropy(logits, labels) + soft_dice(target, (labels == TARGET).to(logits.dtype))


def foreground_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus Dice; both ``[B, 1, h, w]``, truth 0..1 (a cell may be partly covered)."""
    return F.binary_cross_entropy_with_logits(logits, truth) + soft_dice(logits.sigmoid()[:, 0], truth[:, 0])
