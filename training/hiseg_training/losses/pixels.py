"""Losses that compare maps pixel by pixel: weighted cross-entropies and Dice."""

from __future__ import annotations

import torch
import torch.nn.functional as F

EPSILON = 1e-6
"""Smallest sum of weights that a mean is divided by, so that no pixels make a loss of 0 and not of 0/0."""


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of float ``values`` by ``weights`` (>= 0, of the same shape), a scalar; 0 if all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp(min=EPSILON)


def class_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    class_weights: tuple[float, ...],
    pixel_weights: torch.Tensor | None = None,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Weighted mean of the pixels' cross-entropies over classes.

    Args:
        logits: float ``[N, C, h, w]``.
        labels: int64 ``[N, h, w]``, 0..C-1, or C for an unknown pixel, which doesn't count.
        class_weights: weight of a pixel by its class, ``C`` numbers.
        pixel_weights: float ``[N, h, w]``, weight of a pixel by its position; all 1 if None.
        gamma: exponent of the focal factor ``(1 - p) ** gamma`` (Lin et al., 2017, arXiv:1708.02002); 0 turns it off.

    Returns:
        A float32 scalar.
    """
    logits = logits.float()
    entropy = F.cross_entropy(logits, labels, ignore_index=logits.shape[1], reduction="none")
    weights = logits.new_tensor((*class_weights, 0.0))[labels]
    if pixel_weights is not None:
        weights = weights * pixel_weights
    # p is exp(-entropy). The factor stays part of the gradient, as in the paper.
    return weighted_mean(_focal_factor(1 - torch.exp(-entropy), gamma) * entropy, weights)


def binary_cross_entropy(
    logits: torch.Tensor,
    target: torch.Tensor,
    weights: torch.Tensor | None = None,
    positive_weight: float = 1.0,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Weighted mean of the elements' binary cross-entropies.

    Args:
        logits: float log-odds, any shape.
        target: float 0..1 of the same shape.
        weights: float of the same shape; all 1 if None.
        positive_weight: weight of the positive part of the target against the negative part.
        gamma: exponent of the focal factor ``|target - p| ** gamma``, which for targets of 0 and 1 is the focal loss's
            and for soft targets that of Li et al. (2020, arXiv:2006.04388); 0 turns it off.

    Returns:
        A float32 scalar.
    """
    logits, target = logits.float(), target.float()
    entropy = F.binary_cross_entropy_with_logits(
        logits, target, pos_weight=logits.new_tensor(positive_weight), reduction="none"
    )
    weights = torch.ones_like(entropy) if weights is None else weights
    return weighted_mean(_focal_factor((target - logits.sigmoid()).abs(), gamma) * entropy, weights)


def _focal_factor(error: torch.Tensor, gamma: float) -> torch.Tensor | float:
    """``error ** gamma`` for errors 0..1 of any shape."""
    # Below 1 the power's slope at 0 is infinite: the clamp gives a pixel that is exactly right a finite gradient.
    return error.clamp(min=EPSILON) ** gamma if gamma else 1.0


def soft_dice(probability: torch.Tensor, target: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """1 - Dice coefficient of each sample (Milletari et al., 2016, arXiv:1606.04797), averaged over the samples.

    The intersection is the smaller of the two values, which for targets of 0 and 1 is their product. For targets in
    between the loss is 0 where the probability equals the target; the product's would be smallest at 0 or 1 (Wang et
    al., 2023, arXiv:2303.16296).

    Args:
        probability: float 0..1 ``[N, h, w]``.
        target: float 0..1 ``[N, h, w]``; a cell may be partly covered, or a person's with some probability.
        known: bool ``[N, h, w]``, False where a pixel doesn't count; None counts all.

    Returns:
        A float32 scalar 0..1; 0 without samples.
    """
    probability, target = probability.float(), target.float()
    if known is not None:
        probability, target = probability * known, target * known
    intersection = torch.minimum(probability, target).sum((1, 2))
    total = probability.sum((1, 2)) + target.sum((1, 2))
    return (1 - (2 * intersection + 1) / (total + 1)).sum() / max(1, len(probability))
