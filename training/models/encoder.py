"""EfficientNet feature pyramids (Tan & Le, 2019, arXiv:1905.11946), as timm builds them."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from training.torchvision_shim import declare_missing_operators

declare_missing_operators()

import timm  # noqa: E402  (needs the shim above)


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input.

    Args:
        name: a timm EfficientNet.
        in_channels: channels of the input; channels beyond three are context.
        activation: timm's name of the activation.
        pretrained: load ImageNet weights; raises ``RuntimeError`` where they can't be had.
    """

    def __init__(self, name: str, in_channels: int, activation: str, pretrained: bool) -> None:
        super().__init__()
        try:
            self.net = timm.create_model(
                name, features_only=True, in_chans=in_channels, act_layer=activation, pretrained=pretrained
            )
        except Exception as error:
            if not pretrained:
                raise
            raise RuntimeError(f"pretrained: no weights for {name} could be loaded: {error}") from error
        self.channels = cast(list[int], self.net.feature_info.channels())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return cast(list[torch.Tensor], self.net(x))
