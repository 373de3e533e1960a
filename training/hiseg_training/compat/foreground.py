"""Finds the network that says where anybody is, in a checkpoint of ours or of the seed's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiseg_training.compat.seed import read_seed_unet
from hiseg_training.compat.unet import UNetStage
from hiseg_training.engine.checkpoints import is_checkpoint, load_checkpoint
from hiseg_training.models.coarse import CoarseStage


@dataclass(frozen=True)
class Foreground:
    """A coarse stage by itself.

    Attributes:
        stage: in eval mode.
        reduction: how many times smaller than the canvas it wants its images.
        variant: ``b0`` and so on.
    """

    stage: CoarseStage | UNetStage
    reduction: int
    variant: str


def read_foreground(path: Path) -> Foreground:
    """The coarse stage of a checkpoint of ours, or the UNet of one of the seed's.

    Raises:
        FileNotFoundError: it isn't there.
        SeedError: it holds neither.
    """
    if is_checkpoint(path):
        model = load_checkpoint(path)
        return Foreground(model.coarse, model.config.coarse_reduction, model.config.coarse[1])
    unet = read_seed_unet(path)
    return Foreground(unet.stage(), 1, unet.variant)
