"""People without what is behind them: the picture's pixels, transparent where no mask is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask

MOST_PIXELS = 50_000_000
"""Of all cut-outs of one answer together: they overlap, so many people have more pixels than their picture."""


def cutout(pixels: Pixels, mask: CropMask) -> Pixels:
    """One person's crop, RGBA uint8 ``[h, w, 4]``; black where it is transparent, so that nothing is hidden there."""
    rows, columns = mask.pixels.shape
    found = np.zeros((rows, columns, 4), dtype=np.uint8)
    _lay(found, pixels[mask.top : mask.top + rows, mask.left : mask.left + columns], mask)
    return found


def cutouts(pixels: Pixels, masks: Sequence[CropMask]) -> Pixels:
    """Everybody in their places, RGBA uint8 ``[H, W, 4]`` as large as the picture."""
    found = np.zeros((*pixels.shape[:2], 4), dtype=np.uint8)
    for mask in masks:
        rows, columns = mask.pixels.shape
        crop = slice(mask.top, mask.top + rows), slice(mask.left, mask.left + columns)
        _lay(found[crop], pixels[crop], mask)
    return found


def _lay(target: Pixels, pixels: Pixels, mask: CropMask) -> None:
    np.copyto(target[:, :, :3], pixels, where=mask.pixels[:, :, None])
    target[:, :, 3][mask.pixels] = 255
