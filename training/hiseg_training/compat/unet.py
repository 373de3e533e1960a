"""Upstream's foreground UNet as a coarse stage: its published weights can be served, and be a teacher.

It is segmentation_models_pytorch's UNet over timm's EfficientNets with one foreground logit a pixel.
"""

from __future__ import annotations

import warnings

import torch
from torch import nn

from hiseg_training.models.coarse import CoarseNetwork, CoarseOutput
from hiseg_training.models.encoder import IMAGENET_MEAN, IMAGENET_STD, EncoderBlocks, loading_pretrained
from hiseg_training.models.torchvision_shim import declare_missing_operators

LEVELS = (256, 128, 64, 32, 16)
"""Decoder channels at 1/16, 1/8, 1/4, 1/2 and 1/1 of the input."""


class UNetStage(CoarseNetwork):
    """UNet (Ronneberger et al., 2015, arXiv:1505.04597) by segmentation_models_pytorch; it takes no box map.

    Args:
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
        pretrained: start the encoder from ImageNet weights.

    Raises:
        WeightsMissing: pretrained weights are wanted, and can't be loaded.
    """

    mean: torch.Tensor
    std: torch.Tensor
    level_channels = LEVELS
    sees_boxes = False

    def __init__(self, variant: str, pretrained: bool = False) -> None:
        super().__init__()
        declare_missing_operators()
        import segmentation_models_pytorch as smp

        name = f"timm-efficientnet-{variant}"
        with loading_pretrained(name, pretrained), warnings.catch_warnings():
            # The library's newer encoders name their weights differently from the checkpoints that are read here.
            warnings.filterwarnings("ignore", "`timm-` encoders are deprecated", DeprecationWarning)
            self.net = smp.Unet(name, encoder_weights="imagenet" if pretrained else None, decoder_channels=LEVELS)
        # The classifier's last convolution is part of the weights, but no image ever passes through it.
        for unused in (self.net.encoder.conv_head, self.net.encoder.bn2):
            unused.requires_grad_(False)
        # These belong to the weights: a checkpoint may have been trained with other numbers.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]  # an attribute here would name the weights twice
        encoder: nn.Module = self.net.encoder
        return encoder

    def encoder_blocks(self) -> EncoderBlocks:
        encoder = self.net.encoder
        return [(encoder.conv_stem, encoder.bn1), *((block,) for block in encoder.blocks)]

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> CoarseOutput:
        """Predict the foreground.

        Args:
            images: float 0..1 RGB ``[B, 3, h, w]`` of any size.
            boxes: ignored.

        Returns:
            Logits ``[B, 1, h, w]``, and the decoder's features.
        """
        features = self.net.encoder((images - self.mean) / self.std)
        sizes = [feature.shape[2:] for feature in features[-2::-1]]
        skips = [*features[-2:0:-1], None]
        x, levels = self.net.decoder.center(features[-1]), []
        # Block by block rather than by the library's own forward, which doesn't return the levels.
        for block, size, skip in zip(self.net.decoder.blocks, sizes, skips, strict=True):
            x = block(x, size[0], size[1], skip_connection=skip)
            levels.append(x)
        return CoarseOutput(self.net.segmentation_head(x), tuple(levels))
