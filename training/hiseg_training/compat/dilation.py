"""The seed's dilation: logits of the target raised beside pixels that are surely the target.

It is here so that files with and without it come from one model, as the seed's released ``_dil1`` files did. It is no
dilation of the mask: a pixel that leads by more than two the other way stays as it is, and the distance is counted in
cells of the mask. To make masks larger by pixels of the image, ask the service for ``dilation_px``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

TARGET = 1
LEAST_RISE = 0.1
"""Of the target's probability from a pixel to the surest one around it, above which the pixel's logit is raised."""
BOOST = 2.0


class DilatedTarget(nn.Module):
    """A model whose target logits are raised next to sure ones; the foreground is left alone.

    Args:
        model: gives logits ``[N, 3, h, w]`` of the classes background, target and other people, the foreground, and
            logits of the same form again.
        pixels: how far, in cells of the mask; at least 1.

    Raises:
        ValueError: ``pixels`` is less than 1.
    """

    def __init__(self, model: nn.Module, pixels: int) -> None:
        super().__init__()
        if pixels < 1:
            raise ValueError(f"dilation_pixels must be at least 1, got {pixels}")
        self.model = model
        self.pixels = pixels

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The same tensors as the model's."""
        logits, foreground, wide = self.model(images, rois)
        return raise_target(logits, self.pixels), foreground, raise_target(wide, self.pixels)


def raise_target(logits: torch.Tensor, pixels: int) -> torch.Tensor:
    """Logits with those of the target raised by 2 where a pixel around is surer of it by more than 0.1.

    Args:
        logits: ``[N, 3, h, w]``.
        pixels: how far around, in cells; the window is a square of ``2 * pixels + 1``.

    Returns:
        ``[N, 3, h, w]``; background and other people are unchanged.
    """
    target = functional.softmax(logits, dim=1)[:, TARGET : TARGET + 1]
    surest = functional.max_pool2d(target, kernel_size=2 * pixels + 1, stride=1, padding=pixels)
    boost = (surest - target > LEAST_RISE).to(logits.dtype) * BOOST
    return torch.cat([logits[:, :TARGET], logits[:, TARGET : TARGET + 1] + boost, logits[:, TARGET + 1 :]], dim=1)
