"""How well two masks overlap, as something that can be made small."""

from __future__ import annotations

import torch


def soft_dice(probability: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - Dice coefficient of each sample (Milletari et al., 2016, arXiv:1606.04797), averaged; 0 without samples.

    Args:
        probability: float 0..1 ``[N, h, w]``.
        truth: float 0..1 ``[N, h, w]``; a cell may be partly covered.
    """
    probability, truth = probability.float(), truth.float()
    overlap = (probability * truth).sum((1, 2))
    total = probability.sum((1, 2)) + truth.sum((1, 2))
    return (1 - (2 * overlap + 1) / (total + 1)).sum() / max(1, len(probability))
