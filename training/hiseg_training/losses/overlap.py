"""How well two masks overlap, as something that can be made small."""

from __future__ import annotations

import torch


def soft_dice(probability: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - Dice coefficient of each sample (Milletari et al., 2016, arXiv:1606.04797), averaged; 0 without samples.

    They overlap by the smaller of the two, which for truth of 0 or 1 is their product. Of truth in between the loss is
    0 where the probability is the truth; the product's would be least at 0 or 1 (Wang et al., 2023, arXiv:2303.16296).

    Args:
        probability: float 0..1 ``[N, h, w]``.
        truth: float 0..1 ``[N, h, w]``; a cell may be partly covered, or only probably a person's.
    """
    probability, truth = probability.float(), truth.float()
    overlap = torch.minimum(probability, truth).sum((1, 2))
    total = probability.sum((1, 2)) + truth.sum((1, 2))
    return (1 - (2 * overlap + 1) / (total + 1)).sum() / max(1, len(probability))
