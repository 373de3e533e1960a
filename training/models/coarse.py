"""Coarse stage: one light UNet over the reduced canvas says where *any* person is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from training.config import ModelConfig
from training.models.blocks import conv_norm_act, upsample_to
from training.models.encoder import build_encoder

REDUCTION = 2
"""Canvas pixels a side that become one pixel of the coarse stage's input."""


def reduce(images: torch.Tensor) -> torch.Tensor:
    """Area-average canvases ``[B, 3, H, W]`` to the coarse stage's input ``[B, 3, H/2, W/2]``."""
    return F.avg_pool2d(images, REDUCTION)


@dataclass(frozen=True)
class Coarse:
    """What the coarse stage knows of a batch of canvases ``H`` x ``W``.

    Attributes:
        logits: float ``[B, 1, H/4, W/4]``, foreground log-odds.
        features: float ``[B, C, H/8, W/8]``, decoder features for the fine stage.
    """

    logits: torch.Tensor
    features: torch.Tensor

    def foreground(self, size: tuple[int, int]) -> torch.Tensor:
        """Foreground probability ``[B, 1, *size]``."""
        return torch.sigmoid(F.interpolate(self.logits, size=size, mode="bilinear", align_corners=False))


class CoarseStage(nn.Module):
    """UNet (Ronneberger et al., 2015, arXiv:1505.04597) with one convolution a level."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = build_encoder(config, 3)
        *skips, below = self.encoder.channels
        levels = []
        for skip, width in zip(reversed(skips), config.coarse_widths, strict=True):
            levels.append(conv_norm_act(below + skip, width))
            below = width
        self.decoder = nn.ModuleList(levels)
        self.head = nn.Conv2d(below, 1, 1)

    def forward(self, images: torch.Tensor) -> Coarse:
        """``images`` reduced and normalised, float ``[B, 3, H/2, W/2]`` for canvases ``H`` x ``W``."""
        *skips, x = self.encoder(images)
        features = x
        for level, (decode, skip) in enumerate(zip(self.decoder, reversed(skips), strict=True)):
            x = decode(torch.cat([upsample_to(x, skip), skip], dim=1))
            if level == 2:
                features = x
        return Coarse(self.head(x), features)
