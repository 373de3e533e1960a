"""Upstream's dilation: logits of the target are raised beside pixels that are surely the target.

It exists so that exports with and without it can be made of one model, like upstream's ``_dil1`` files. It is not a
dilation of the mask: a pixel whose background logit leads by more than two stays background, and distances are counted
in cells of the mask. To enlarge masks by pixels of the image, use the service's option ``dilation_px``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from hiseg_training.config.model import TARGET

MIN_RISE = 0.1
"""A pixel's logit is raised if the target's probability at a pixel around it is larger by more than this."""
BOOST = 2.0
"""Amount by which it is raised."""


class DilatedTarget(nn.Module):
    """A model whose target logits are raised next to sure ones; the foreground is unchanged.

    Args:
        model: takes images and RoIs; its first output and its last are logits of masks.
        pixels: radius of the dilation in cells of the mask; at least 1.

    Raises:
        ValueError: ``pixels`` is less than 1.
    """

    def __init__(self, model: nn.Module, pixels: int) -> None:
        super().__init__()
        if pixels < 1:
            raise ValueError(f"dilation_pixels must be at least 1, got {pixels}")
        self.model = model
        self.pixels = pixels

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The model's outputs, with raised target logits in the first and the last; arguments are the model's."""
        logits, *between, wide = self.model(images, rois)
        return raise_target(logits, self.pixels), *between, raise_target(wide, self.pixels)


def raise_target(logits: torch.Tensor, pixels: int) -> torch.Tensor:
    """Raise the target's logit by :data:`BOOST` where its probability is clearly larger at a pixel nearby.

    Args:
        logits: float ``[N, 3, h, w]`` of background, target and other people.
        pixels: "nearby" is a square window of ``2 * pixels + 1`` cells.

    Returns:
        float ``[N, 3, h, w]``; logits of background and other people are unchanged.
    """
    target = functional.softmax(logits, dim=1)[:, TARGET : TARGET + 1]
    surest = functional.max_pool2d(target, kernel_size=2 * pixels + 1, stride=1, padding=pixels)
    boost = (surest - target > MIN_RISE).to(logits.dtype) * BOOST
    return torch.cat([logits[:, :TARGET], logits[:, TARGET : TARGET + 1] + boost, logits[:, TARGET + 1 :]], dim=1)
