"""Read the network that predicts the foreground from a checkpoint of this project or of upstream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiseg_training.compat.unet_weights import read_unet_weights
from hiseg_training.engine.checkpoints import is_checkpoint, load_coarse
from hiseg_training.models.coarse import CoarseNetwork


@dataclass(frozen=True)
class ForegroundNetwork:
    """A coarse stage by itself.

    Attributes:
        stage: the network, in eval mode.
        reduction: canvas pixels along a side that become one pixel of its input.
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
    """

    stage: CoarseNetwork
    reduction: int
    variant: str


def read_foreground(path: Path) -> ForegroundNetwork:
    """The coarse stage of one of this project's checkpoints, or the UNet in one of upstream's.

    Raises:
        FileNotFoundError: the file doesn't exist.
        UpstreamCheckpointError: it holds neither.
    """
    if is_checkpoint(path):
        found = load_coarse(path)
        return ForegroundNetwork(found.stage, found.config.coarse_reduction, found.config.coarse[1])
    weights = read_unet_weights(path)
    return ForegroundNetwork(weights.stage(), 1, weights.variant)
