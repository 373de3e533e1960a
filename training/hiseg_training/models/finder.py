"""Finder: one light network over the reduced canvas finds people's boxes, and everybody's foreground.

Boxes come without anchors (Tian et al., 2019, arXiv:1904.01355): each cell of three maps says how surely a person is
there, and how far that person's edges are. What to learn from which cell is up to
:mod:`hiseg_training.losses.assignment`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.blocks import PLAIN, upsample_to
from hiseg_training.models.coarse import CoarseNetwork, CoarseOutput
from hiseg_training.models.encoder import EfficientNetEncoder, EncoderBlocks, Normalize

STRIDES = (8, 16, 32)
"""Input pixels that are one cell of each map that boxes come from."""
FOREGROUND_STRIDE = 4
BLOCKS = 6
"""Groups of blocks of an EfficientNet that are kept: the last one is an eighth of the weights, and adds no detail."""
LEVELS = (1, 2, 4, 5)
"""Those of them whose results are read, at 1/4, 1/8, 1/16 and 1/32 of the input."""
WIDTH, FOREGROUND_WIDTH = 96, 48
PRIOR = 0.01
"""Score that every cell begins with: nearly all cells are nobody's (Lin et al., 2017, arXiv:1708.02002)."""
FARTHEST = 5.0
"""Largest logarithm of an edge's distance in cells."""


class Found(NamedTuple):
    """What a finder says of ``B`` inputs, by cell; the cells of all maps are one list of ``N``, the finest map first.

    Attributes:
        scores: log-odds of a person, weighted by how well the box fits, float ``[B, N]``.
        boxes: ``x1 y1 x2 y2`` in pixels of the input, float ``[B, N, 4]``; they may reach beyond it.
        points: centre ``x y`` of each cell, in pixels of the input, float ``[N, 2]``.
        strides: pixels of the input that are a cell's side, float ``[N]``.
        foreground: log-odds of anybody, float ``[B, 1, h/4, w/4]``.
    """

    scores: torch.Tensor
    boxes: torch.Tensor
    points: torch.Tensor
    strides: torch.Tensor
    foreground: torch.Tensor


def separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """Depthwise 3x3, then 1x1 convolution, norm and activation: ``[B, in, h, w]`` -> ``[B, out, h, w]``."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        PLAIN.norm(in_channels),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        PLAIN.norm(out_channels),
        PLAIN.act(),
    )


class FinderStage(CoarseNetwork):
    """EfficientNet-Lite without its last blocks, a feature pyramid (Lin et al., 2016, arXiv:1612.03144) and two heads.

    Args:
        config: of the model, whose coarse variant is this one's size.
    """

    encoder: EfficientNetEncoder

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        _, variant = config.coarse
        self.encoder = EfficientNetEncoder("lite", variant, 3, config.pretrained)
        blocks = self.encoder.net.get_submodule("blocks")
        assert isinstance(blocks, nn.Sequential)
        del blocks[BLOCKS:]
        self.sees_boxes = False
        self.level_channels = (FOREGROUND_WIDTH,)
        self.normalize = Normalize("lite")
        quarter, *levels = _level_channels(blocks)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in levels)
        self.merges = nn.ModuleList(separable(WIDTH, WIDTH) for _ in levels)
        self.score_towers = nn.ModuleList(_tower(1) for _ in levels)
        self.edge_towers = nn.ModuleList(_tower(4) for _ in levels)
        for tower in self.score_towers:
            _fill_bias(tower, -math.log((1 - PRIOR) / PRIOR))
        for tower in self.edge_towers:
            _fill_bias(tower, math.log(2.0))
        self.quarter = nn.Conv2d(quarter, FOREGROUND_WIDTH, 1)
        self.down = nn.Conv2d(WIDTH, FOREGROUND_WIDTH, 1)
        self.draw = nn.Sequential(
            separable(FOREGROUND_WIDTH, FOREGROUND_WIDTH), separable(FOREGROUND_WIDTH, FOREGROUND_WIDTH)
        )
        self.head = nn.Conv2d(FOREGROUND_WIDTH, 1, 1)

    def encoder_blocks(self) -> EncoderBlocks:
        return self.encoder.blocks()

    def forward(self, images: torch.Tensor, boxes: torch.Tensor | None = None) -> CoarseOutput:
        """Predict the foreground alone; ``boxes`` is not looked at."""
        quarter, pyramid = self._pyramid(images)
        return CoarseOutput(self._foreground(quarter, pyramid[0], images))

    def find(self, images: torch.Tensor) -> Found:
        """Find people.

        Args:
            images: reduced canvases, float 0..1 RGB ``[B, 3, h, w]``; sides are multiples of 4.
        """
        quarter, pyramid = self._pyramid(images)
        scores, boxes, points, strides = [], [], [], []
        for stride, level, score, edges in zip(STRIDES, pyramid, self.score_towers, self.edge_towers, strict=True):
            scores.append(score(level).flatten(1))
            distances = edges(level).flatten(2).clamp(-FARTHEST, FARTHEST).exp() * stride
            centres = cell_centres(level.shape[2], level.shape[3], stride, level)
            points.append(centres)
            strides.append(torch.full_like(centres[:, 0], stride))
            boxes.append(torch.cat([centres.T - distances[:, :2], centres.T + distances[:, 2:]], dim=1))
        foreground = self._foreground(quarter, pyramid[0], images)
        everywhere = torch.cat(boxes, 2).transpose(1, 2)
        return Found(torch.cat(scores, 1), everywhere, torch.cat(points), torch.cat(strides), foreground)

    def _pyramid(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Features at 1/4 of the input, and those at :data:`STRIDES`, the finest first."""
        # Sides that aren't multiples of 32 would shift the cells of the coarser maps by half a cell.
        right, below = -images.shape[3] % STRIDES[-1], -images.shape[2] % STRIDES[-1]
        x = self.normalize(F.pad(images, (0, right, 0, below)))
        net, features = self.encoder.net, []
        x = net.get_submodule("bn1")(net.get_submodule("conv_stem")(x))
        for index, block in enumerate(net.get_submodule("blocks").children()):
            x = block(x)
            if index in LEVELS:
                features.append(x)
        quarter, *levels = features
        pyramid: list[torch.Tensor] = []
        for feature, lateral, merge in reversed(list(zip(levels, self.laterals, self.merges, strict=True))):
            own = lateral(feature)
            pyramid.insert(0, merge(own + upsample_to(pyramid[0], own) if pyramid else own))
        return quarter, pyramid

    def _foreground(self, quarter: torch.Tensor, finest: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Log-odds of anybody, float ``[B, 1, h/4, w/4]`` for images ``[B, 3, h, w]``."""
        own = self.quarter(quarter)
        logits: torch.Tensor = self.head(self.draw(own + upsample_to(self.down(finest), own)))
        return logits[:, :, : images.shape[2] // FOREGROUND_STRIDE, : images.shape[3] // FOREGROUND_STRIDE]


def _level_channels(blocks: nn.Sequential) -> list[int]:
    """Channels of the results of :data:`LEVELS`."""
    channels = []
    for level in LEVELS:
        convolutions = [part for part in blocks[level].modules() if isinstance(part, nn.Conv2d)]
        channels.append(convolutions[-1].out_channels)
    return channels


def _tower(outputs: int) -> nn.Sequential:
    return nn.Sequential(separable(WIDTH, WIDTH), separable(WIDTH, WIDTH), nn.Conv2d(WIDTH, outputs, 1))


def _fill_bias(tower: nn.Module, value: float) -> None:
    """Set the bias of a tower's last convolution, and make its weights small."""
    assert isinstance(tower, nn.Sequential)
    last = tower[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, value)


def cell_centres(height: int, width: int, stride: int, like: torch.Tensor) -> torch.Tensor:
    """Centres ``x y`` of a map's cells, row by row, in pixels of the input: float ``[height * width, 2]``."""
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * stride
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * stride
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)
