"""People without their background: the image's own pixels, transparent where no mask is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask

MAX_CUTOUT_PIXELS = 50_000_000
"""Upper limit of the pixels that all cut-outs of one answer have together: crops overlap, so those of a crowd have more
pixels than the image."""


def cutout(pixels: Pixels, mask: CropMask) -> Pixels:
    """Cut one person out of an image.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``, the whole image.
        mask: the person, lying inside the image.

    Returns:
        RGBA uint8 ``[h, w, 4]`` of the size of the mask's crop. Transparent pixels are black, so that no background is
        hidden in them.
    """
    drawn = np.zeros((*mask.pixels.shape, 4), dtype=np.uint8)
    _copy_person(drawn, pixels[mask.region], mask)
    return drawn


def cutouts(pixels: Pixels, masks: Sequence[CropMask]) -> Pixels:
    """Cut several people out of an image and leave them where they are.

    Args:
        pixels: RGB uint8 ``[H, W, 3]``, the whole image.
        masks: the people, lying inside the image.

    Returns:
        RGBA uint8 ``[H, W, 4]``. Transparent pixels are black.
    """
    drawn = np.zeros((*pixels.shape[:2], 4), dtype=np.uint8)
    for mask in masks:
        _copy_person(drawn[mask.region], pixels[mask.region], mask)
    return drawn


def _copy_person(target: Pixels, pixels: Pixels, mask: CropMask) -> None:
    """Copy RGB ``[h, w, 3]`` to RGBA ``[h, w, 4]`` in place, both of the crop's size, where the mask is; opaque."""
    np.copyto(target[:, :, :3], pixels, where=mask.pixels[:, :, None])
    target[:, :, 3][mask.pixels] = 255
