"""Start a larger variant from the weights of a smaller, trained one (Net2Net: Chen et al., 2016, arXiv:1511.05641).

A deeper model's additional blocks start as the identity, and a wider model's channels as copies of the narrower one's.
The larger model so starts as the function that the smaller one has learnt: exactly with ReLU, nearly with other
activations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from hiseg_training.models.blocks import ResidualBlock

UNEVENNESS = 0.25
"""Largest relative deviation of a channel copy's weight from an equal share: copies of equal weight would have equal
gradients and stay copies for ever."""


def load_grown(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> int:
    """Load the weights that fit, widening those of a narrower model; additional residual blocks become the identity.

    Args:
        model: changed in place.
        weights: another model's state, by name.

    Returns:
        The number of tensors that were loaded, as they are or widened.
    """
    own = model.state_dict()
    shared = {name: value for name, value in weights.items() if name in own}
    times = _width_factor(own, shared)
    widened = {name: widen(value, own[name].shape, times) for name, value in shared.items()}
    fits = {name: value for name, value in widened.items() if value is not None}
    model.load_state_dict(fits, strict=False)
    for name, block in model.named_modules():
        stack, _, _ = name.rpartition(".")
        if isinstance(block, ResidualBlock) and not _has_any(name, fits) and _has_any(stack, fits):
            make_identity(block)
    return len(fits)


def _has_any(module: str, weights: Iterable[str]) -> bool:
    return any(name.startswith(f"{module}.") for name in weights)


def _width_factor(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> int:
    """How many channels of ``own`` one channel of ``weights`` becomes, in those layers that are wider.

    It is 1, and nothing is widened, where the layers differ in it: behind layers that start from random weights,
    copies of channels mean nothing.
    """
    found = {own[name].shape[0] / len(value) for name, value in weights.items() if value.ndim} - {1.0}
    times = found.pop() if len(found) == 1 else 1.0
    return int(times) if times.is_integer() and times > 1 else 1


def widen(value: torch.Tensor, shape: torch.Size, times: int) -> torch.Tensor | None:
    """Widen a weight of a layer some of whose channels become ``times`` copies each, side by side.

    Args:
        value: weight of a layer, ``[out, in, ...]``, or one number a channel, ``[out]``.
        shape: the wanted shape. Of the input channels the last ones are those that were widened: convolutions see the
            decoder's features before the encoder's.
        times: copies of each channel.

    Returns:
        A tensor of ``shape`` with which every copy computes what the one channel computed; ``value`` itself where it
        fits; None where no widening gives that shape.
    """
    if value.shape == shape:
        return value
    if times < 2 or len(shape) != value.ndim or shape[0] not in (len(value), times * len(value)):
        return None
    if shape[0] != len(value):
        value = value.repeat_interleave(times, dim=0)
    if value.ndim > 1 and shape[1] != value.shape[1]:
        copied, odd = divmod(shape[1] - value.shape[1], times - 1)
        if odd or not 0 < copied <= value.shape[1]:
            return None
        kept, split = torch.split(value, [value.shape[1] - copied, copied], dim=1)
        value = torch.cat([kept, _split_inputs(split, times)], dim=1)
    return value if value.shape == shape else None


def _split_inputs(value: torch.Tensor, times: int) -> torch.Tensor:
    """Repeat each input channel of ``[out, in, ...]`` ``times`` times, with weights that add up to the original's."""
    parts = 1 + UNEVENNESS * (2 * torch.rand(*value.shape, times) - 1)
    parts = (parts / parts.sum(-1, keepdim=True)).to(value)
    shared = (value.unsqueeze(-1) * parts).movedim(-1, 2)
    return shared.flatten(1, 2)


@torch.no_grad()
def make_identity(block: ResidualBlock) -> None:
    """Make a block with as many channels out as in, and stride 1, the identity; others are left as they are."""
    channels_out, channels_in = block.shortcut.weight.shape[:2]
    norm = block.second[1]
    if channels_in != channels_out or block.shortcut.stride != (1, 1):
        return
    assert isinstance(norm.weight, torch.Tensor)
    norm.weight.zero_()
    block.shortcut.weight.copy_(torch.eye(channels_out)[:, :, None, None])
