"""Intersection over union of batches of masks: what stages are scored by."""

from __future__ import annotations

import torch


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of bool masks ``[N, ...]``, one by one, float ``[N]``; 1 where both are empty."""
    a, b = a.flatten(1), b.flatten(1)
    union = (a | b).sum(1)
    return torch.where(union > 0, (a & b).sum(1) / union.clamp(min=1), 1.0)
