"""Building blocks of both stages: plain 3x3 convolutions, residual blocks, attention gates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.config.model import ModelConfig

MAX_GROUPS = 8


@dataclass(frozen=True)
class Style:
    """Norm and activation of a network's blocks, by their names in :class:`hiseg_training.config.model.ModelConfig`.

    Attributes:
        activation: ``relu``, ``silu`` or ``gelu``.
        normalization: ``batchnorm``, ``layernorm2d`` or ``groupnorm``.
    """

    activation: str = "relu"
    normalization: str = "batchnorm"

    @classmethod
    def of(cls, config: ModelConfig) -> Style:
        """The style of a model's configuration."""
        return cls(config.activation, config.normalization)

    def norm(self, channels: int) -> nn.Module:
        """A new norm of ``channels``; ``layernorm2d``, over a sample's channels and pixels, is a group norm of one
        group."""
        if self.normalization == "batchnorm":
            return nn.BatchNorm2d(channels)
        return GroupNorm(1 if self.normalization == "layernorm2d" else math.gcd(MAX_GROUPS, channels), channels)

    def act(self) -> nn.Module:
        """A new activation."""
        # Only ReLU's gradient follows from its output, so only ReLU can work in place.
        return {"relu": nn.ReLU(inplace=True), "silu": nn.SiLU(), "gelu": nn.GELU()}[self.activation]


class GroupNorm(nn.GroupNorm):
    """torch's group norm (Wu & He, 2018, arXiv:1803.08494), exported so that it takes a batch of 0 samples too.

    The graph that the exporter makes of torch's own infers the batch size in a reshape, which runtimes refuse for an
    empty tensor.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise float ``[N, C, h, w]``; N may be 0."""
        if not torch.compiler.is_exporting():
            return super().forward(x)
        people, channels, height, width = x.shape
        grouped = x.reshape(people, self.num_groups, channels // self.num_groups, height, width)
        centred = grouped - grouped.mean((2, 3, 4), keepdim=True)
        scaled = centred / (centred.square().mean((2, 3, 4), keepdim=True) + self.eps).sqrt()
        return scaled.reshape(x.shape) * self.weight[:, None, None] + self.bias[:, None, None]


PLAIN = Style()


def conv_norm_act(in_channels: int, out_channels: int, stride: int = 1, style: Style = PLAIN) -> nn.Sequential:
    """3x3 convolution without bias, norm and activation: ``[N, in_channels, h, w]`` -> ``[N, out_channels, h/stride,
    w/stride]``."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        style.norm(out_channels),
        style.act(),
    )


def convolve(convolution: nn.Module, parts: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Compute ``convolution(torch.cat(parts, 1))`` as a sum over the parts, without the large concatenated tensor.

    Args:
        convolution: an ``nn.Conv2d`` with one group.
        parts: float ``[N, C_k, h, w]`` each; together they have the convolution's input channels.
    """
    assert isinstance(convolution, nn.Conv2d)
    if len(parts) == 1:
        whole: torch.Tensor = convolution(parts[0])
        return whole
    weights = torch.split(convolution.weight, [part.shape[1] for part in parts], dim=1)
    biases = [convolution.bias, *[None] * (len(parts) - 1)]
    stride, padding = convolution.stride, convolution.padding
    outputs = [F.conv2d(x, w, b, stride, padding) for x, w, b in zip(parts, weights, biases, strict=True)]
    return functools.reduce(torch.add, outputs)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a projected shortcut (He et al., 2015, arXiv:1512.03385)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, style: Style = PLAIN) -> None:
        super().__init__()
        self.first = conv_norm_act(in_channels, out_channels, stride, style)
        self.second = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), style.norm(out_channels)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
        self.act = style.act()

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Float ``[N, C_k, h, w]`` each -> ``[N, out_channels, h/stride, w/stride]``.

        The parts together have the block's input channels, as if they were concatenated.
        """
        inner = self.second(self.first[1:](convolve(self.first[0], parts)))
        activated: torch.Tensor = self.act(inner + convolve(self.shortcut, parts))
        return activated


class AttentionGate(nn.Module):
    """Additive attention on a skip connection (Oktay et al., 2018, arXiv:1804.03999).

    The skip's features are scaled per pixel by an attention 0..1 that is computed from them and the decoder's features.
    """

    def __init__(self, skip_channels: int, gate_channels: int, style: Style = PLAIN) -> None:
        super().__init__()
        hidden = max(8, skip_channels // 2)
        self.skip = nn.Conv2d(skip_channels, hidden, 1)
        self.gate = nn.Conv2d(gate_channels, hidden, 1)
        self.score = nn.Conv2d(hidden, 1, 1)
        self.act = style.act()

    def forward(self, skip: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        """Gate a skip connection.

        Args:
            skip: encoder features, float ``[N, Cs, h, w]``.
            below: features of the deeper decoder level, float ``[N, Cg, h/2, w/2]``.

        Returns:
            Float ``[N, Cs, h, w]``.
        """
        # A 1x1 convolution commutes with a nearest-neighbour resize; before it there are a quarter of the pixels.
        gate = upsample_to(self.gate(below), skip)
        return skip * torch.sigmoid(self.score(self.act(self.skip(skip) + gate)))


def upsample_to(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Resize float ``[N, C, h, w]`` to the height and width of ``like`` by nearest neighbour."""
    sides = [*x.shape[2:], *like.shape[2:]]
    if all(type(side) is int for side in sides) and [2 * side for side in sides[:2]] == sides[2:]:
        # ONNX Runtime fuses a resize by constant scales with the convolutions around it, and none to a size.
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.interpolate(x, size=like.shape[2:], mode="nearest")
