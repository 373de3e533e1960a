"""Fine stage: a UNet on each person's crop tells the person from everybody else."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.blocks import AttentionGate, ResidualBlock, Style, upsample_to
from hiseg_training.models.encoder import build_encoder
from hiseg_training.models.heads import HierarchicalHead, branch, three_logits
from hiseg_training.models.outputs import FineOutput

CHANNELS = 5
CLASSES = 3
"""0 background, 1 target, 2 other people."""
PRIOR_LEVEL = 2
"""Decoder level (a quarter of the crop) at which the coarse stage's view enters."""


class FineStage(nn.Module):
    """UNet with residual blocks and attention gates; decides at RoI size, answers at crop size.

    Its input has five channels: normalised RGB, the person's own box, and where other people's boxes lie.

    Args:
        config: what it is made of.
        coarse_channels: of the coarse stage's features.
    """

    def __init__(self, config: ModelConfig, coarse_channels: int) -> None:
        super().__init__()
        style = Style.of(config)
        self.encoder = build_encoder(config.family, config.variant, CHANNELS, config)
        *skips, below = self.encoder.channels
        gates, levels, deeper = [], [], []
        for skip, width in zip(reversed(skips), config.fine_widths, strict=True):
            gates.append(AttentionGate(skip, below, style))
            levels.append(ResidualBlock(below + skip, width, style=style))
            deeper.append(
                nn.Sequential(*(ResidualBlock(width, width, style=style) for _ in range(1, config.fine_depth)))
            )
            below = width
        self.gates = nn.ModuleList(gates if config.attention else [])
        self.decoder = nn.ModuleList(levels)
        self.deeper = nn.ModuleList(deeper)
        self.prior = nn.Conv2d(coarse_channels + 1, config.fine_widths[PRIOR_LEVEL], 1)
        # Starts as no prior at all, so that a fine stage trained alone is unchanged when a coarse stage joins.
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(torch.as_tensor(self.prior.bias))
        self.head = (
            HierarchicalHead(below, style) if config.hierarchical else nn.Conv2d(below, CLASSES * 4, 3, padding=1)
        )
        wanted = {"contour": config.contour, "distance": config.distance}
        self.branches = nn.ModuleDict({name: branch(below, style) for name, there in wanted.items() if there})
        self.level_channels: tuple[int, ...] = config.fine_widths

    def forward(self, crops: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
        """Segment crops.

        Args:
            crops: float ``[N, 5, h, w]``.
            prior: float ``[N, C + 1, h/4, w/4]``, the coarse stage's features and logits in the same crops.

        Returns:
            Logits ``[N, 3, h, w]``.
        """
        return self._decide(self._decode(crops, prior)[-1]).logits

    def outputs(self, crops: torch.Tensor, prior: torch.Tensor | None = None) -> FineOutput:
        """The same with everything that training looks at; its branches are run here and nowhere else."""
        levels = self._decode(crops, prior)
        decided = self._decide(levels[-1])
        branches = {name: run(levels[-1]) for name, run in self.branches.items()}
        return FineOutput(decided.logits, tuple(levels), decided.foreground, decided.identity, **branches)

    def _decode(self, crops: torch.Tensor, prior: torch.Tensor | None) -> list[torch.Tensor]:
        *skips, x = self.encoder(crops)
        levels = []
        for level, skip in enumerate(reversed(skips)):
            gated = self.gates[level](skip, x) if self.gates else skip
            x = self.deeper[level](self.decoder[level](upsample_to(x, skip), gated))
            if level == PRIOR_LEVEL and prior is not None:
                x = x + self.prior(prior)
            levels.append(x)
        return levels

    def _decide(self, features: torch.Tensor) -> FineOutput:
        if isinstance(self.head, HierarchicalHead):
            foreground, identity = self.head(features)
            return FineOutput(three_logits(foreground, identity), foreground=foreground, identity=identity)
        return FineOutput(F.pixel_shuffle(self.head(features), 2))
