"""What a pixel of a person's crop can be, and the labels made from who is where."""

from __future__ import annotations

import torch

BACKGROUND, TARGET, OTHER = 0, 1, 2
CLASSES = 3


def three_class_labels(identities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Labels int64 ``[N, h, w]`` from identity crops ``[N, 1, h, w]`` and the identity each crop is about ``[N]``."""
    crops = identities[:, 0].round().long()
    return torch.where(crops == targets[:, None, None], TARGET, torch.where(crops > 0, OTHER, BACKGROUND))
