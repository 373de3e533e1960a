"""Coarse stage: one light UNet over the reduced canvas predicts where *any* person is.

Boxes are known wherever it runs, and carry most of the information: given their map as a fourth channel, the network
only has to find which pixels inside are a person, and no one is missed for want of a box.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.blocks import Style, conv_norm_act, upsample_to
from hiseg_training.models.encoder import EfficientNetEncoder, EncoderBlocks, Normalize, ResidualEncoder, build_encoder
from hiseg_training.models.freezing import EncoderDecoder
from hiseg_training.models.roi import box_map


@dataclass(frozen=True)
class CoarseOutput:
    """Prediction of a coarse stage for a batch of canvases.

    Attributes:
        logits: float ``[B, 1, h, w]``, foreground log-odds.
        levels: float ``[B, C_k, h_k, w_k]`` each, the features of all decoder levels, deepest first.
    """

    logits: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()

    def foreground(self, size: tuple[int, int]) -> torch.Tensor:
        """Foreground probability, float 0..1 ``[B, 1, *size]``, resized bilinearly to ``size`` (height, width)."""
        return torch.sigmoid(F.interpolate(self.logits, size=size, mode="bilinear", align_corners=False))


class CoarseNetwork(EncoderDecoder):
    """What every network that can be the coarse stage has in common.

    Attributes:
        sees_boxes: whether ``forward`` makes use of the box map.
        level_channels: channels of :attr:`CoarseOutput.levels`.
    """

    sees_boxes: bool
    level_channels: tuple[int, ...]

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> CoarseOutput:
        """Predict the foreground.

        Args:
            images: reduced canvases, float 0..1 RGB ``[B, 3, h, w]``.
            boxes: map of all people's boxes, float 0/1 ``[B, 1, h, w]``; None where no box is known.
        """
        raise NotImplementedError


def reduce(images: torch.Tensor, reduction: int) -> torch.Tensor:
    """Area-average float canvases ``[B, 3, H, W]`` to the coarse stage's input ``[B, 3, H/reduction, W/reduction]``."""
    return F.avg_pool2d(images, reduction) if reduction > 1 else images


def run_coarse(stage: CoarseNetwork, canvases: torch.Tensor, rois: torch.Tensor, reduction: int) -> CoarseOutput:
    """Run a coarse stage on canvases, with the box map if it takes one.

    Args:
        canvases: float 0..1 ``[B, 3, H, W]``.
        rois: known boxes, float ``[N, 5]``; N may be 0.
        reduction: canvas pixels a side that become one pixel of the stage's input.
    """
    # Reduced before it is normalised: fewer pixels to touch.
    reduced = reduce(canvases, reduction)
    size = (reduced.shape[2], reduced.shape[3])
    output: CoarseOutput = stage(reduced, box_map(rois, reduced.shape[0], size) if stage.sees_boxes else None)
    return output


class CoarseStage(CoarseNetwork):
    """UNet (Ronneberger et al., 2015, arXiv:1505.04597) with one convolution a level; logits at half its input."""

    encoder: ResidualEncoder | EfficientNetEncoder

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
        self.level_channels = config.coarse_widths
        self.normalize = Normalize(family)

    def encoder_blocks(self) -> EncoderBlocks:
        return self.encoder.blocks()

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> CoarseOutput:
        x = self.normalize(images)
        if self.sees_boxes:
            x = torch.cat([x, torch.zeros_like(x[:, :1]) if boxes is None else boxes], dim=1)
        *skips, x = self.encoder(x)
        levels = []
        for decode, skip in zip(self.decoder, reversed(skips), strict=True):
            x = decode(torch.cat([upsample_to(x, skip), skip], dim=1))
            levels.append(x)
        return CoarseOutput(self.head(x), tuple(levels))
