"""Cross-entropy a pixel: by class, by how hard the pixel is, and by where it lies."""

from __future__ import annotations

import torch
import torch.nn.functional as F

LEAST_WEIGHT = 1e-6
"""Least sum of weights that a mean is divided by: no pixels, no loss, and no 0/0."""


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of ``values`` by ``weights`` (>= 0, of the same shape); 0 where there is no weight at all."""
    return (values * weights).sum() / weights.sum().clamp(min=LEAST_WEIGHT)


def class_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    class_weights: tuple[float, ...],
    pixel_weights: torch.Tensor | None = None,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Weighted mean of the pixels' cross-entropies.

    Args:
        logits: float ``[N, C, h, w]``.
        labels: int64 ``[N, h, w]``.
        class_weights: how much a pixel of each class counts.
        pixel_weights: float ``[N, h, w]``, how much a pixel counts for where it lies; 1 if not given.
        gamma: of the focal factor ``(1 - p) ** gamma`` (Lin et al., 2017, arXiv:1708.02002); 0 is none.
    """
    logits = logits.float()
    entropy = F.cross_entropy(logits, labels, reduction="none")
    weights = logits.new_tensor(class_weights)[labels]
    if pixel_weights is not None:
        weights = weights * pixel_weights
    # p is exp(-entropy). The factor stays part of the gradient, as in the paper.
    return weighted_mean(_focus(1 - torch.exp(-entropy), gamma) * entropy, weights)


def binary_cross_entropy(
    logits: torch.Tensor,
    truth: torch.Tensor,
    weights: torch.Tensor | None = None,
    positive_weight: float = 1.0,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Weighted mean of the pixels' binary cross-entropies.

    Args:
        logits: float, any shape.
        truth: float 0..1 of the same shape.
        weights: float of the same shape; 1 if not given.
        positive_weight: how much more the positive part of the truth counts.
        gamma: of the focal factor ``|truth - p| ** gamma``, which for hard truth is the focal loss's and for soft
            truth that of Li et al. (2020, arXiv:2006.04388); 0 is none.
    """
    logits, truth = logits.float(), truth.float()
    entropy = F.binary_cross_entropy_with_logits(
        logits, truth, pos_weight=logits.new_tensor(positive_weight), reduction="none"
    )
    weights = torch.ones_like(entropy) if weights is None else weights
    return weighted_mean(_focus((truth - logits.sigmoid()).abs(), gamma) * entropy, weights)


def _focus(missed: torch.Tensor, gamma: float) -> torch.Tensor | float:
    # Below 1 the power's slope at 0 is infinite: kept off it, so that a pixel that is just right has a gradient.
    return missed.clamp(min=LEAST_WEIGHT) ** gamma if gamma else 1.0
