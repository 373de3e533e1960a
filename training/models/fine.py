"""Fine stage: a UNet on each person's crop tells the person from everybody else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from training.config import ModelConfig
from training.models.blocks import AttentionGate, ResidualBlock, upsample_to
from training.models.encoder import build_encoder

CHANNELS = 5
CLASSES = 3
"""0 background, 1 target, 2 other people."""
PRIOR_LEVEL = 2
"""Decoder level (a quarter of the crop) at which the coarse stage's view enters."""


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


class FineStage(nn.Module):
    """UNet with residual blocks and attention gates; decides at RoI size, answers at crop size.

    Its input has five channels: normalised RGB, the person's own box, and where other people's boxes lie.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = build_encoder(config, CHANNELS)
        *skips, below = self.encoder.channels
        gates, levels = [], []
        for skip, width in zip(reversed(skips), config.fine_widths, strict=True):
            gates.append(AttentionGate(skip, below))
            levels.append(ResidualBlock(below + skip, width))
            below = width
        self.gates = nn.ModuleList(gates)
        self.decoder = nn.ModuleList(levels)
        self.prior = nn.Conv2d(config.coarse_widths[PRIOR_LEVEL] + 1, config.fine_widths[PRIOR_LEVEL], 1)
        # Starts as no prior at all, so that a fine stage trained alone is unchanged when a coarse stage joins.
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(torch.as_tensor(self.prior.bias))
        self.head = nn.Conv2d(below, CLASSES * 4, 3, padding=1)

    def forward(self, crops: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
        """Segment crops.

        Args:
            crops: float ``[N, 5, h, w]``.
            prior: float ``[N, C + 1, h/4, w/4]``, the coarse stage's features and logits in the same crops.

        Returns:
            Logits ``[N, 3, h, w]``.
        """
        *skips, x = self.encoder(crops)
        for level, skip in enumerate(reversed(skips)):
            gated = self.gates[level](skip, x)
            x = self.decoder[level](upsample_to(x, skip), gated)
            if level == PRIOR_LEVEL and prior is not None:
                x = x + self.prior(prior)
        return F.pixel_shuffle(self.head(x), 2)
