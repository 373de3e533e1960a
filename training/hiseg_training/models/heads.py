"""What comes after the fine stage's decoder: the hierarchical head, and the branches of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.models.blocks import Style, conv_norm_act

BRANCH_WIDTH = 16


class HierarchicalHead(nn.Module):
    """Foreground first, then whose it is: two questions at RoI size, answered at mask size.

    The second question is asked of features that the first one's answer has dimmed where nobody is. Being the two
    factors of one probability, the levels can't contradict each other: softmax of the three logits is exactly
    p(nobody), p(somebody) p(target | somebody), p(somebody) p(other | somebody).
    """

    def __init__(self, channels: int, style: Style) -> None:
        super().__init__()
        self.foreground = nn.Conv2d(channels, 4, 3, padding=1)
        self.identity = nn.Sequential(
            conv_norm_act(channels, channels, style=style), nn.Conv2d(channels, 4, 3, padding=1)
        )

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-odds of somebody, and of the target given somebody; ``[N, C, h, w]`` -> ``[N, 1, 2h, 2w]`` each."""
        foreground = self.foreground(features)
        seen = features * foreground.mean(1, keepdim=True).sigmoid()
        return F.pixel_shuffle(foreground, 2), F.pixel_shuffle(self.identity(seen), 2)


def three_logits(foreground: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
    """The two answers ``[N, 1, h, w]`` as logits of background, target, others ``[N, 3, h, w]``."""
    # log(sigmoid(x)) is -softplus(-x), which doesn't run out of numbers where an exported sigmoid would be 0.
    target = foreground - F.softplus(-identity)
    return torch.cat([torch.zeros_like(target), target, target - identity], dim=1)


def branch(channels: int, style: Style) -> nn.Sequential:
    """A map at mask size from features at RoI size, ``[N, C, h, w]`` -> ``[N, 1, 2h, 2w]``."""
    return nn.Sequential(
        conv_norm_act(channels, BRANCH_WIDTH, style=style),
        nn.Conv2d(BRANCH_WIDTH, 4, 3, padding=1),
        nn.PixelShuffle(2),
    )
