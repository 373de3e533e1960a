"""Feature pyramids for both stages: plain residual ones, or timm's EfficientNets.

The residual family is scaled by EfficientNet's compound coefficients (Tan & Le, 2019, arXiv:1905.11946), so that
b0, b1 and b7 mean the same step in size; its plain 3x3 convolutions take less time to train on a CPU than depthwise
ones. The EfficientNet family is there for those who have pretrained weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from hiseg_training.config.model import EFFICIENTNETS, SCALING, ModelConfig
from hiseg_training.models.blocks import PLAIN, ResidualBlock, Style, conv_norm_act
from hiseg_training.models.pretrained import fetched

BASE_WIDTHS = (32, 48, 96, 192, 256)
BASE_DEPTHS = (1, 1, 1, 2, 2)


class ResidualEncoder(nn.Module):
    """Residual blocks (He et al., 2015, arXiv:1512.03385) at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input.

    Args:
        variant: its width and depth coefficients scale the base widths (to multiples of 8) and depths.
        in_channels: channels of the input.
        style: norm and activation.
    """

    def __init__(self, variant: str, in_channels: int, style: Style = PLAIN) -> None:
        super().__init__()
        width, depth = SCALING[variant]
        self.channels = [8 * round(base * width / 8) for base in BASE_WIDTHS]
        depths = [math.ceil(base * depth) for base in BASE_DEPTHS]
        self.stem = conv_norm_act(in_channels, self.channels[0], stride=2, style=style)
        stages: list[nn.Module] = []
        below = self.channels[0]
        for level, (channels, blocks) in enumerate(zip(self.channels, depths, strict=True)):
            first = ResidualBlock(below, channels, 2 if level else 1, style)
            more = (ResidualBlock(channels, channels, style=style) for _ in range(blocks - 1))
            stages.append(nn.Sequential(first, *more))
            below = channels
        self.stages = nn.ModuleList(stages)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    def blocks(self) -> list[Sequence[nn.Module]]:
        """What is frozen and freed together, the stem first."""
        return [(self.stem,), *((stage,) for stage in self.stages)]


class EfficientNetEncoder(nn.Module):
    """timm's EfficientNet of a variant, at the same fractions of the input.

    Args:
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
        in_channels: channels of the input; those beyond three are context.
        pretrained: load ImageNet weights; raises ``WeightsMissing`` where they can't be had.
    """

    def __init__(self, variant: str, in_channels: int, pretrained: bool) -> None:
        super().__init__()
        from hiseg_training.torchvision_shim import declare_missing_operators

        declare_missing_operators()
        import timm

        name = EFFICIENTNETS[variant]
        with fetched(name, pretrained):
            self.net = timm.create_model(name, features_only=True, in_chans=in_channels, pretrained=pretrained)
        self.channels = cast(list[int], self.net.feature_info.channels())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return cast(list[torch.Tensor], self.net(x))

    def blocks(self) -> list[Sequence[nn.Module]]:
        """What is frozen and freed together, the stem first."""
        return [(self.net.conv_stem, self.net.bn1), *((block,) for block in self.net.blocks)]


def build_encoder(
    family: str, variant: str, in_channels: int, config: ModelConfig
) -> ResidualEncoder | EfficientNetEncoder:
    """The encoder that one of a configuration's stages asks for; EfficientNets keep their own norms and activations."""
    if family == "residual":
        return ResidualEncoder(variant, in_channels, Style.of(config))
    return EfficientNetEncoder(variant, in_channels, config.pretrained)
