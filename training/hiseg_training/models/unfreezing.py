"""Progressive unfreezing: a pretrained encoder joins in block by block, the deepest first, at a lower rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from hiseg_training.compat.unet import UNetStage
from hiseg_training.models.coarse import CoarseStage


@dataclass(frozen=True, slots=True)
class UnfreezeSchedule:
    """When the encoder's blocks join in.

    Attributes:
        start: epoch in which the deepest block does, from 0.
        every: epochs from one block to the next; the stem comes last.
        encoder_rate: the encoder's learning rate as a share of everybody else's.
    """

    start: int = 5
    every: int = 3
    encoder_rate: float = 0.3

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"start: {self.start} is below 0")
        if self.every < 1:
            raise ValueError(f"every: {self.every} is below 1")
        if not 0 < self.encoder_rate <= 1:
            raise ValueError(f"encoder_rate: {self.encoder_rate} is not above 0 and at most 1")

    def unfrozen(self, epoch: int, blocks: int) -> int:
        """How many of ``blocks`` encoder blocks train in ``epoch``, counted from the deepest."""
        return 0 if epoch < self.start else min(blocks, 1 + (epoch - self.start) // self.every)


class Trained(NamedTuple):
    """Weights that train in an epoch.

    Attributes:
        decoder: all that isn't encoder: decoder and last layer, in every epoch.
        encoder: of the blocks that have joined in.
    """

    decoder: list[nn.Parameter]
    encoder: list[nn.Parameter]


def trained(stage: CoarseStage | UNetStage, epoch: int, schedule: UnfreezeSchedule) -> Trained:
    """Which of a stage's weights train in ``epoch``; changes nothing."""
    blocks = stage.encoder_blocks()
    joined = schedule.unfrozen(epoch, len(blocks))
    encoder = [weight for block in blocks[len(blocks) - joined :] for part in block for weight in part.parameters()]
    inside = {id(weight) for weight in stage.encoder.parameters()}
    return Trained([weight for weight in stage.parameters() if id(weight) not in inside], encoder)


def unfreeze(stage: CoarseStage | UNetStage, epoch: int, schedule: UnfreezeSchedule) -> Trained:
    """Freeze what doesn't train in ``epoch`` and free what does, norms' statistics included."""
    free = trained(stage, epoch, schedule)
    stage.requires_grad_(False)
    for weight in (*free.decoder, *free.encoder):
        weight.requires_grad_(True)
    stage.train(stage.training)
    return free
