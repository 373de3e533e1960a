"""Fine stage: a UNet on each person's crop tells the person's pixels from other people's and the background's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hiseg.engines.contract import ModelError
from hiseg_training.config.model import CLASSES, TARGET, ModelConfig
from hiseg_training.models.blocks import AttentionGate, ResidualBlock, Style, conv_norm_act, upsample_to
from hiseg_training.models.encoder import build_encoder

CHANNELS = 6
"""Channels of a crop: normalised RGB, the map of the person's own box, that of other people's boxes, and a plane of the
box's aspect ratio: every crop has the same shape, so the pixels don't tell how a person was squeezed into it."""
BRANCH_WIDTH = 16


@dataclass(frozen=True)
class FineOutput:
    """Prediction of the fine stage for ``N`` crops; None is a branch that the model doesn't have.

    Attributes:
        logits: float ``[N, 3, h, w]`` of background, target and other people.
        levels: float ``[N, C_k, h_k, w_k]`` each, the decoder's features, deepest first.
        foreground: float ``[N, 1, h, w]``, log-odds that any person is there.
        identity: float ``[N, 1, h, w]``, log-odds that it is the target, given that a person is there. Where the
            model has a hierarchical head, :attr:`logits` are made of these two.
        contour: float ``[N, 1, h, w]``, log-odds of the target's outline.
        distance: float ``[N, 1, h, w]``, signed distance to the target's outline, -1..1 where it is near.
    """

    logits: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()
    foreground: torch.Tensor | None = None
    identity: torch.Tensor | None = None
    contour: torch.Tensor | None = None
    distance: torch.Tensor | None = None


class HierarchicalHead(nn.Module):
    """Predicts foreground first, then whose pixel it is: both at RoI size, written at mask size.

    The second prediction reads features that the first one has dimmed where no person is. Being the two factors of
    one probability, the levels can't contradict each other: the softmax of the three logits is exactly
    p(no person), p(person) p(target | person), p(person) p(other | person).
    """

    def __init__(self, channels: int, style: Style) -> None:
        super().__init__()
        self.foreground = nn.Conv2d(channels, 4, 3, padding=1)
        self.identity = nn.Sequential(
            conv_norm_act(channels, channels, style=style), nn.Conv2d(channels, 4, 3, padding=1)
        )

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features ``[N, C, h, w]`` -> log-odds of a person, and of the target given a person, ``[N, 1, 2h, 2w]``."""
        foreground = self.foreground(features)
        dimmed = features * foreground.mean(1, keepdim=True).sigmoid()
        return F.pixel_shuffle(foreground, 2), F.pixel_shuffle(self.identity(dimmed), 2)


def three_logits(foreground: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
    """Combine the two levels' log-odds ``[N, 1, h, w]`` into logits of background, target, others ``[N, 3, h, w]``."""
    # log(sigmoid(x)) is -softplus(-x), which stays finite where an exported sigmoid would round to 0.
    target = foreground - F.softplus(-identity)
    return torch.cat([torch.zeros_like(target), target, target - identity], dim=1)


def auxiliary_branch(channels: int, style: Style) -> nn.Sequential:
    """Layers that predict one map at mask size from features at RoI size, ``[N, C, h, w]`` -> ``[N, 1, 2h, 2w]``."""
    return nn.Sequential(
        conv_norm_act(channels, BRANCH_WIDTH, style=style),
        nn.Conv2d(BRANCH_WIDTH, 4, 3, padding=1),
        nn.PixelShuffle(2),
    )


class FineStage(nn.Module):
    """UNet with residual blocks and attention gates; it computes at RoI size and its logits have crop size.

    Its input has the channels that :data:`CHANNELS` lists.

    Args:
        config: the model's.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        style = Style.of(config)
        self.encoder = build_encoder(config.family, config.variant, CHANNELS, config)
        *skips, below = self.encoder.channels
        gates, levels, deeper = [], [], []
        for skip, width in zip(reversed(skips), config.fine_widths, strict=True):
            gates.append(AttentionGate(skip, below, style))
            levels.append(ResidualBlock(below + skip, width, style=style))
            deeper.append(
                nn.Sequential(*(ResidualBlock(width, width, style=style) for _ in range(1, config.fine_depth)))
            )
            below = width
        self.gates = nn.ModuleList(gates if config.attention else [])
        self.decoder = nn.ModuleList(levels)
        self.deeper = nn.ModuleList(deeper)
        self.head = (
            HierarchicalHead(below, style) if config.hierarchical else nn.Conv2d(below, CLASSES * 4, 3, padding=1)
        )
        wanted = {"contour": config.contour, "distance": config.distance}
        self.branches = nn.ModuleDict({name: auxiliary_branch(below, style) for name, has in wanted.items() if has})
        self.level_channels: tuple[int, ...] = config.fine_widths

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Segment crops.

        Args:
            crops: float ``[N, 6, h, w]`` with even sides.

        Returns:
            Logits of background, target and other people, float ``[N, 3, h, w]``.
        """
        return self._predict(self._decode(crops)[-1]).logits

    def outputs(self, crops: torch.Tensor) -> FineOutput:
        """As :meth:`forward`, with all that losses read; the auxiliary branches are run here and nowhere else."""
        levels = self._decode(crops)
        predicted = self._predict(levels[-1])
        branches = {name: run(levels[-1]) for name, run in self.branches.items()}
        return FineOutput(predicted.logits, tuple(levels), predicted.foreground, predicted.identity, **branches)

    def add_offset(self, offset: float) -> None:
        """Add a number to the logits of the person, everywhere, by the bias of the last convolution.

        Raises:
            ModelError: the model has a hierarchical head, whose logits are made of two levels.
        """
        if isinstance(self.head, HierarchicalHead):
            raise ModelError("a model with a hierarchical head takes no offset")
        assert self.head.bias is not None
        with torch.no_grad():
            self.head.bias.view(CLASSES, 4)[TARGET] += offset  # 2 x 2 pixels of each class, see :meth:`_predict`

    def _decode(self, crops: torch.Tensor) -> list[torch.Tensor]:
        """Features of every decoder level, float ``[N, C_k, h_k, w_k]``, deepest first."""
        *skips, x = self.encoder(crops)
        levels = []
        for level, skip in enumerate(reversed(skips)):
            gated = self.gates[level](skip, x) if self.gates else skip
            x = self.deeper[level](self.decoder[level](upsample_to(x, skip), gated))
            levels.append(x)
        return levels

    def _predict(self, features: torch.Tensor) -> FineOutput:
        """Logits, and the hierarchical head's two levels, of features ``[N, C, h/2, w/2]``."""
        if isinstance(self.head, HierarchicalHead):
            foreground, identity = self.head(features)
            return FineOutput(three_logits(foreground, identity), foreground=foreground, identity=identity)
        return FineOutput(F.pixel_shuffle(self.head(features), 2))
