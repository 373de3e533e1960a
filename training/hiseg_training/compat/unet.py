"""The described system's foreground UNet as a coarse stage: its published weights can be served, and taught from.

It is segmentation_models_pytorch's UNet over timm's EfficientNets with one foreground logit a pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import nn

from hiseg_training.models.freezing import Freezable
from hiseg_training.models.outputs import IMAGENET_MEAN, IMAGENET_STD, Coarse
from hiseg_training.models.pretrained import fetched

LEVELS = (256, 128, 64, 32, 16)
"""Decoder channels at 1/16, 1/8, 1/4, 1/2 and 1/1 of the input."""
FEATURE_LEVEL = 2


class UNetStage(Freezable):
    """UNet (Ronneberger et al., 2015, arXiv:1505.04597) by segmentation_models_pytorch.

    Args:
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
        pretrained: start the encoder from ImageNet weights; raises ``WeightsMissing`` where they can't be had.
    """

    mean: torch.Tensor
    std: torch.Tensor
    level_channels: tuple[int, ...] = LEVELS
    feature_channels: int = LEVELS[FEATURE_LEVEL]
    sees_boxes = False

    def __init__(self, variant: str, pretrained: bool = False) -> None:
        super().__init__()
        from hiseg_training.torchvision_shim import declare_missing_operators

        declare_missing_operators()
        import segmentation_models_pytorch as smp

        name = f"timm-efficientnet-{variant}"
        with fetched(name, pretrained), warnings.catch_warnings():
            # Its newer encoders name their weights otherwise than the checkpoints that are to be loaded here.
            warnings.filterwarnings("ignore", "`timm-` encoders are deprecated", DeprecationWarning)
            self.net = smp.Unet(name, encoder_weights="imagenet" if pretrained else None, decoder_channels=LEVELS)
        # The classifier's last convolution is in the weights, but no image ever passes through it.
        for unused in (self.net.encoder.conv_head, self.net.encoder.bn2):
            unused.requires_grad_(False)
        # These belong to the weights: a checkpoint may have been trained with other numbers.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    @property
    def encoder(self) -> nn.Module:
        return self.net.encoder

    def encoder_blocks(self) -> list[Sequence[nn.Module]]:
        """What :mod:`hiseg_training.models.unfreezing` frees together, the stem first."""
        encoder = self.net.encoder
        return [(encoder.conv_stem, encoder.bn1), *((block,) for block in encoder.blocks)]

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> Coarse:
        """``images`` float 0..1 ``[B, 3, h, w]`` of any size; logits are of the same size. Boxes tell it nothing."""
        features = self.net.encoder((images - self.mean) / self.std)
        sizes = [feature.shape[2:] for feature in features[-2::-1]]
        skips = [*features[-2:0:-1], None]
        x, levels = self.net.decoder.center(features[-1]), []
        # Block by block rather than by the library's own forward, which keeps the levels to itself.
        for block, size, skip in zip(self.net.decoder.blocks, sizes, skips, strict=True):
            x = block(x, size[0], size[1], skip_connection=skip)
            levels.append(x)
        return Coarse(self.net.segmentation_head(x), levels[FEATURE_LEVEL], tuple(levels))
