"""Freezing: parts of a network that don't learn keep their weights and the running statistics of their norms.

Progressive unfreezing builds on it: a pretrained encoder starts to learn block by block, the deepest first, at a lower
learning rate than the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from torch import nn


class FreezableModule(nn.Module):
    """A module whose frozen parts stay in eval mode, whoever calls ``train``.

    Which parts are frozen is read from ``requires_grad`` of their weights each time, so no state has to be kept: it
    survives copies, averages and checkpoints, and ends when the weights may move again.
    """

    def train(self, mode: bool = True) -> Self:
        """Set training mode as ``nn.Module.train`` does, except that frozen parts are put into eval mode."""
        super().train(mode)
        if mode:
            _put_frozen_parts_into_eval(self)
        return self


class EncoderDecoder(FreezableModule):
    """A network whose encoder can be unfrozen block by block.

    Attributes:
        encoder: the part that may be pretrained; all other weights belong to the decoder.
    """

    encoder: nn.Module

    def encoder_blocks(self) -> list[Sequence[nn.Module]]:
        """The encoder's blocks in the order of computation, the stem first; the modules of one block are unfrozen
        together."""
        raise NotImplementedError


def freeze(module: nn.Module) -> None:
    """Stop all weights and norm statistics of ``module`` from changing, from now on."""
    module.requires_grad_(False)
    module.eval()


def _put_frozen_parts_into_eval(module: nn.Module) -> None:
    weights = list(module.parameters())
    if weights and not any(weight.requires_grad for weight in weights):
        module.eval()
    else:
        for child in module.children():
            _put_frozen_parts_into_eval(child)


@dataclass(frozen=True, slots=True)
class UnfreezeSchedule:
    """In which epochs the blocks of an encoder start to learn.

    Attributes:
        start: epoch in which the deepest block starts, counted from 0.
        every: epochs between one block and the next; the stem comes last.
        encoder_rate: learning rate of the encoder as a share of the decoder's, above 0 and at most 1.

    Raises:
        ValueError: a value is out of its range; the message begins with its name.
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

    def unfrozen_blocks(self, epoch: int, blocks: int) -> int:
        """How many of ``blocks`` encoder blocks learn in ``epoch``, counted from the deepest."""
        return 0 if epoch < self.start else min(blocks, 1 + (epoch - self.start) // self.every)


class TrainableWeights(NamedTuple):
    """The weights that learn in an epoch.

    Attributes:
        decoder: all weights outside the encoder; they learn in every epoch.
        encoder: weights of those encoder blocks that are unfrozen.
    """

    decoder: list[nn.Parameter]
    encoder: list[nn.Parameter]


def trainable_weights(stage: EncoderDecoder, epoch: int, schedule: UnfreezeSchedule) -> TrainableWeights:
    """The weights of a stage that learn in ``epoch`` by a schedule; nothing is changed."""
    blocks = stage.encoder_blocks()
    unfrozen = schedule.unfrozen_blocks(epoch, len(blocks))
    encoder = [weight for block in blocks[len(blocks) - unfrozen :] for part in block for weight in part.parameters()]
    in_encoder = {id(weight) for weight in stage.encoder.parameters()}
    return TrainableWeights([weight for weight in stage.parameters() if id(weight) not in in_encoder], encoder)


def unfreeze(stage: EncoderDecoder, epoch: int, schedule: UnfreezeSchedule) -> TrainableWeights:
    """Freeze the weights and norm statistics that don't learn in ``epoch``, unfreeze the others and return those."""
    trainable = trainable_weights(stage, epoch, schedule)
    stage.requires_grad_(False)
    for weight in (*trainable.decoder, *trainable.encoder):
        weight.requires_grad_(True)
    stage.train(stage.training)
    return trainable
