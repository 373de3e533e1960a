"""The pieces of both decoders: plain 3x3 convolutions, residual blocks, attention gates."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def conv_norm_act(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a projected shortcut (He et al., 2015, arXiv:1512.03385)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_norm_act(in_channels, out_channels, stride)
        self.second = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x), inplace=True)


class AttentionGate(nn.Module):
    """Additive attention on a skip connection (Oktay et al., 2018, arXiv:1804.03999).

    The decoder's features say where to look; the skip's features are scaled by 0..1 per pixel.
    """

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        hidden = max(8, skip_channels // 2)
        self.skip = nn.Conv2d(skip_channels, hidden, 1)
        self.gate = nn.Conv2d(gate_channels, hidden, 1)
        self.score = nn.Conv2d(hidden, 1, 1)

    def forward(self, skip: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """``skip`` ``[N,Cs,h,w]`` and ``gate`` ``[N,Cg,h,w]`` -> gated skip ``[N,Cs,h,w]``."""
        return skip * torch.sigmoid(self.score(F.relu(self.skip(skip) + self.gate(gate))))


def upsample_to(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Nearest-neighbour resize to the height and width of ``like``."""
    return F.interpolate(x, size=like.shape[2:], mode="nearest")
