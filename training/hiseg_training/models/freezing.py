"""Parts that don't learn stand still entirely: their weights, and the statistics of their norms."""

from __future__ import annotations

from typing import Self

from torch import nn


class Freezable(nn.Module):
    """A module whose frozen parts stay in eval mode, whoever calls ``train``.

    Which parts are frozen is read from their weights each time, so nothing has to be remembered: it survives copies,
    averages and checkpoints, and ends when the weights may move again.
    """

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if mode:
            _settle(self)
        return self


def freeze(module: nn.Module) -> None:
    """Let no weight and no statistic of ``module`` move, from now on."""
    module.requires_grad_(False)
    module.eval()


def _settle(module: nn.Module) -> None:
    weights = list(module.parameters())
    if weights and not any(weight.requires_grad for weight in weights):
        module.eval()
    else:
        for child in module.children():
            _settle(child)
