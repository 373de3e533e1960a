"""A larger variant starts as a smaller one that has learnt: what the small one knows need not be learnt again.

Both ways of Net2Net (Chen et al., 2016, arXiv:1511.05641): a deeper model's new blocks pass on what they see, and a
wider one's channels are the narrower one's several times over. A larger model so begins as the function that the
smaller one has learnt: exactly with ReLU, nearly with other activations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from hiseg_training.models.blocks import ResidualBlock

UNEVEN = 0.25
"""By up to this share, what a copy of a channel counts for differs from an equal part: copies that count the same would
stay the same for ever."""


def take_over(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> int:
    """Load the weights that fit, and those of a narrower model widened; new residual blocks pass on what they see.

    Args:
        model: changed in place.
        weights: another model's, by name.

    Returns:
        How many tensors fitted, as they are or widened.
    """
    own = model.state_dict()
    shared = {name: value for name, value in weights.items() if name in own}
    times = _times(own, shared)
    widened = {name: widen(value, own[name].shape, times) for name, value in shared.items()}
    fits = {name: value for name, value in widened.items() if value is not None}
    model.load_state_dict(fits, strict=False)
    for name, block in model.named_modules():
        stack, _, _ = name.rpartition(".")
        if isinstance(block, ResidualBlock) and not _any_of(name, fits) and _any_of(stack, fits):
            pass_on(block)
    return len(fits)


def _any_of(module: str, weights: Iterable[str]) -> bool:
    return any(name.startswith(f"{module}.") for name in weights)


def _times(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> int:
    """How many channels of ``own`` one channel of ``weights`` becomes, where there are more.

    1, and nothing is widened, where that isn't the same everywhere: behind layers that begin anew, copies say nothing.
    """
    found = {own[name].shape[0] / len(value) for name, value in weights.items() if value.ndim} - {1.0}
    times = found.pop() if len(found) == 1 else 1.0
    return int(times) if times.is_integer() and times > 1 else 1


def widen(value: torch.Tensor, shape: torch.Size, times: int) -> torch.Tensor | None:
    """A weight for layers some of whose channels are there ``times`` times, side by side.

    Args:
        value: of a layer, ``[out, in, ...]``, or of its channels, ``[out]``.
        shape: that it shall have. Of channels in, the last ones are those that were widened: convolutions see the
            decoder's features before the encoder's.

    Returns:
        A tensor that gives every copy what the one channel gave; ``value`` itself where it fits; None where no
        widening gives that shape.
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
        kept, split = value.split([value.shape[1] - copied, copied], dim=1)
        value = torch.cat([kept, _share_out(split, times)], dim=1)
    return value if value.shape == shape else None


def _share_out(value: torch.Tensor, times: int) -> torch.Tensor:
    """Channels in ``[out, in, ...]``, each ``times`` times: together they count for what one did."""
    parts = 1 + UNEVEN * (2 * torch.rand(*value.shape, times) - 1)
    parts = (parts / parts.sum(-1, keepdim=True)).to(value)
    shared = (value.unsqueeze(-1) * parts).movedim(-1, 2)
    return shared.flatten(1, 2)


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
