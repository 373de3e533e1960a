"""A deeper variant starts as a shallower one that has learnt: what the small one knows need not be learnt again."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from training.models.blocks import ResidualBlock


def take_over(model: nn.Module, weights: dict[str, torch.Tensor]) -> int:
    """Load the weights that fit; residual blocks that get none, behind others that do, pass on what they see.

    So a deeper model begins as the function that a shallower one of the same widths has learnt (Chen et al., 2016,
    Net2Net, arXiv:1511.05641): exactly with ReLU, nearly with other activations.

    Args:
        model: changed in place.
        weights: another model's, by name.

    Returns:
        How many tensors fitted.
    """
    own = model.state_dict()
    fits = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fits, strict=False)
    for name, block in model.named_modules():
        stack, _, _ = name.rpartition(".")
        if isinstance(block, ResidualBlock) and not _any_of(name, fits) and _any_of(stack, fits):
            pass_on(block)
    return len(fits)


def _any_of(module: str, weights: Iterable[str]) -> bool:
    return any(name.startswith(f"{module}.") for name in weights)


@torch.no_grad()
def pass_on(block: ResidualBlock) -> None:
    """Let a block of as many channels out as in begin as the identity; others are left alone."""
    channels_out, channels_in = block.shortcut.weight.shape[:2]
    norm = block.second[1]
    if channels_in != channels_out or block.shortcut.stride != (1, 1):
        return
    assert isinstance(norm.weight, torch.Tensor)
    norm.weight.zero_()
    block.shortcut.weight.copy_(torch.eye(channels_out)[:, :, None, None])
