"""What the two stages say, and how pixels are normalised for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Coarse:
    """What the coarse stage knows of a batch of canvases.

    Attributes:
        logits: float ``[B, 1, h, w]``, foreground log-odds.
        features: float ``[B, C, h', w']``, decoder features for the fine stage.
        levels: float ``[B, C_k, h_k, w_k]`` each, the decoder's features, deepest first.
    """

    logits: torch.Tensor
    features: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()

    def foreground(self, size: tuple[int, int]) -> torch.Tensor:
        """Foreground probability ``[B, 1, *size]``."""
        return torch.sigmoid(F.interpolate(self.logits, size=size, mode="bilinear", align_corners=False))


@dataclass(frozen=True)
class FineOutput:
    """What the fine stage says of ``N`` crops while it is trained; None is a branch that it doesn't have.

    Attributes:
        logits: float ``[N, 3, h, w]``; with :attr:`foreground` and :attr:`identity` made of those two.
        levels: float ``[N, C_k, h_k, w_k]`` each, the decoder's features, deepest first.
        foreground: float ``[N, 1, h, w]``, log-odds that somebody is there.
        identity: float ``[N, 1, h, w]``, log-odds that it is the target, given that somebody is there.
        contour: float ``[N, 1, h, w]``, log-odds of the target's outline.
        distance: float ``[N, 1, h, w]``, signed distance to the target's outline, -1..1 where it is near.
    """

    logits: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()
    foreground: torch.Tensor | None = None
    identity: torch.Tensor | None = None
    contour: torch.Tensor | None = None
    distance: torch.Tensor | None = None
