"""The pieces of both decoders: plain 3x3 convolutions, residual blocks, attention gates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.config.model import ModelConfig

MOST_GROUPS = 8


@dataclass(frozen=True)
class Style:
    """How the pieces normalise and what bends them; named as in ``config.model.ModelConfig``."""

    activation: str = "relu"
    normalization: str = "batchnorm"

    @classmethod
    def of(cls, config: ModelConfig) -> Style:
        return cls(config.activation, config.normalization)

    def norm(self, channels: int) -> nn.Module:
        """A norm of ``channels``; ``layernorm2d``, over a sample's channels and pixels, is a group norm of one."""
        if self.normalization == "batchnorm":
            return nn.BatchNorm2d(channels)
        return GroupNorm(1 if self.normalization == "layernorm2d" else math.gcd(MOST_GROUPS, channels), channels)

    def act(self) -> nn.Module:
        # Only ReLU can be undone from what it puts out, and so work in place.
        return {"relu": nn.ReLU(inplace=True), "silu": nn.SiLU(), "gelu": nn.GELU()}[self.activation]


class GroupNorm(nn.GroupNorm):
    """torch's own (Wu & He, 2018, arXiv:1803.08494), but exported so that it takes a batch of nobody.

    The exporter's reshapes a batch to what the other sizes leave of it, which runtimes refuse where that is nothing.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.compiler.is_exporting():
            return super().forward(x)
        people, channels, height, width = x.shape
        grouped = x.reshape(people, self.num_groups, channels // self.num_groups, height, width)
        centred = grouped - grouped.mean((2, 3, 4), keepdim=True)
        scaled = centred / (centred.square().mean((2, 3, 4), keepdim=True) + self.eps).sqrt()
        return scaled.reshape(x.shape) * self.weight[:, None, None] + self.bias[:, None, None]


PLAIN = Style()


def conv_norm_act(in_channels: int, out_channels: int, stride: int = 1, style: Style = PLAIN) -> nn.Sequential:
    """3x3 convolution, norm, activation."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        style.norm(out_channels),
        style.act(),
    )


def convolve(convolution: nn.Module, parts: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """``convolution(torch.cat(parts, 1))`` as a sum over the parts: the large concatenated tensor isn't needed."""
    assert isinstance(convolution, nn.Conv2d)
    if len(parts) == 1:
        return convolution(parts[0])
    weights = convolution.weight.split([part.shape[1] for part in parts], dim=1)
    biases = [convolution.bias, *[None] * (len(parts) - 1)]
    stride, padding = convolution.stride, convolution.padding
    outputs = [F.conv2d(x, w, b, stride, padding) for x, w, b in zip(parts, weights, biases, strict=True)]
    return functools.reduce(torch.add, outputs)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a projected shortcut (He et al., 2015, arXiv:1512.03385)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, style: Style = PLAIN) -> None:
        super().__init__()
        self.first = conv_norm_act(in_channels, out_channels, stride, style)
        self.second = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), style.norm(out_channels)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
        self.act = style.act()

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """``parts`` together have the block's input channels; they are never put into one tensor."""
        inner = self.second(self.first[1:](convolve(self.first[0], parts)))
        activated: torch.Tensor = self.act(inner + convolve(self.shortcut, parts))
        return activated


class AttentionGate(nn.Module):
    """Additive attention on a skip connection (Oktay et al., 2018, arXiv:1804.03999).

    The decoder's features say where to look; the skip's features are scaled by 0..1 per pixel.
    """

    def __init__(self, skip_channels: int, gate_channels: int, style: Style = PLAIN) -> None:
        super().__init__()
        hidden = max(8, skip_channels // 2)
        self.skip = nn.Conv2d(skip_channels, hidden, 1)
        self.gate = nn.Conv2d(gate_channels, hidden, 1)
        self.score = nn.Conv2d(hidden, 1, 1)
        self.act = style.act()

    def forward(self, skip: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        """``skip`` ``[N,Cs,h,w]`` and the smaller ``below`` ``[N,Cg,h/2,w/2]`` -> gated skip ``[N,Cs,h,w]``."""
        # A 1x1 convolution may as well come before a nearest-neighbour resize: a quarter of the pixels.
        gate = upsample_to(self.gate(below), skip)
        return skip * torch.sigmoid(self.score(self.act(self.skip(skip) + gate)))


def upsample_to(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Nearest-neighbour resize to the height and width of ``like``."""
    return F.interpolate(x, size=like.shape[2:], mode="nearest")
