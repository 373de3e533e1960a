"""Coarse stage: one light UNet over the reduced canvas says where *any* person is.

Boxes are known wherever it runs, and say most of it: told of them, it need only find what is a person inside, and
nobody is lost for want of a box.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.blocks import Style, conv_norm_act, upsample_to
from hiseg_training.models.encoder import build_encoder
from hiseg_training.models.freezing import Freezable
from hiseg_training.models.outputs import IMAGENET_MEAN, IMAGENET_STD, Coarse
from hiseg_training.models.roi import box_map

FEATURE_LEVEL = 2


def reduce(images: torch.Tensor, reduction: int) -> torch.Tensor:
    """Area-average canvases ``[B, 3, H, W]`` to the coarse stage's input ``[B, 3, H/reduction, W/reduction]``."""
    return F.avg_pool2d(images, reduction) if reduction > 1 else images


def look(stage: CoarseStage | UNetStage, canvases: torch.Tensor, rois: torch.Tensor, reduction: int) -> Coarse:
    """What a coarse stage sees.

    Args:
        canvases: float 0..1 ``[B, 3, H, W]``.
        rois: boxes that are known, ``[N, 5]``.
        reduction: canvas pixels a side that become one of its input.
    """
    # Before it is normalised: that many pixels fewer to touch.
    reduced = reduce(canvases, reduction)
    size = (reduced.shape[2], reduced.shape[3])
    seen: Coarse = stage(reduced, box_map(rois, reduced.shape[0], size) if stage.sees_boxes else None)
    return seen


class CoarseStage(Freezable):
    """UNet (Ronneberger et al., 2015, arXiv:1505.04597) with one convolution a level."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        family, variant = config.coarse
        self.encoder = build_encoder(family, variant, 4 if config.coarse_boxes else 3, config)
        self.sees_boxes = config.coarse_boxes
        *skips, below = self.encoder.channels
        levels = []
        for skip, width in zip(reversed(skips), config.coarse_widths, strict=True):
            levels.append(conv_norm_act(below + skip, width, style=Style.of(config)))
            below = width
        self.decoder = nn.ModuleList(levels)
        self.head = nn.Conv2d(below, 1, 1)
        self.level_channels: tuple[int, ...] = config.coarse_widths
        self.feature_channels = config.coarse_widths[FEATURE_LEVEL]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def encoder_blocks(self) -> list[Sequence[nn.Module]]:
        """What :mod:`hiseg_training.models.unfreezing` frees together, the stem first."""
        return self.encoder.blocks()

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> Coarse:
        """Look at canvases.

        Args:
            images: reduced, float 0..1 ``[B, 3, h, w]``.
            boxes: where anybody's lies, float 0/1 ``[B, 1, h, w]``; None: nobody's is known.

        Returns:
            Logits ``[B, 1, h/2, w/2]`` among the rest.
        """
        seen = (images - self.mean) / self.std
        if self.sees_boxes:
            seen = torch.cat([seen, torch.zeros_like(seen[:, :1]) if boxes is None else boxes], dim=1)
        *skips, x = self.encoder(seen)
        levels = []
        for decode, skip in zip(self.decoder, reversed(skips), strict=True):
            x = decode(torch.cat([upsample_to(x, skip), skip], dim=1))
            levels.append(x)
        return Coarse(self.head(x), levels[FEATURE_LEVEL], tuple(levels))


def build_coarse(config: ModelConfig) -> CoarseStage | UNetStage:
    """The coarse stage a configuration asks for."""
    family, variant = config.coarse
    return UNetStage(variant, config.pretrained) if family == "unet" else CoarseStage(config)
