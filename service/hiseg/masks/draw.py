"""The model's rows -> instances: each mask made at the size of what it covers, then finished as was asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hiseg.core.box import Box
from hiseg.core.errors import TooLarge
from hiseg.core.image import Floats
from hiseg.core.job import PostProcessing
from hiseg.core.result import CropMask, Instance
from hiseg.masks.dilation import dilate
from hiseg.masks.logits import crop_mask
from hiseg.masks.overlaps import Claim, resolve_overlaps
from hiseg.masks.smoothing import smooth

MOST_MASK_PIXELS = 200_000_000
"""Of all masks of one picture together: they overlap, so a crowd's have more pixels than the picture."""


def mask_pixels(boxes: Iterable[Box], width: int, height: int, finish: PostProcessing) -> int:
    """Pixels, and so bytes, of all crops that :func:`draw_masks` makes of boxes that are not empty.

    Raises:
        TooLarge: more than are made.
    """
    grown = finish.dilation_px
    pixels = 0
    for box in boxes:
        across = min(width, math.ceil(box.x2) + grown) - max(0, math.floor(box.x1) - grown)
        down = min(height, math.ceil(box.y2) + grown) - max(0, math.floor(box.y1) - grown)
        pixels += across * down
    if pixels > MOST_MASK_PIXELS:
        raise TooLarge(
            f"the boxes' masks cover {pixels} pixels of the image together; at most {MOST_MASK_PIXELS} are taken",
            field="boxes",
            limit=MOST_MASK_PIXELS,
            value=pixels,
        )
    return pixels


def draw_masks(
    logit_margins: Iterable[Floats],
    boxes: Sequence[Box],
    width: int,
    height: int,
    finish: PostProcessing,
    crop_scale: float = 1.0,
) -> tuple[Instance, ...]:
    """One instance per box, in their order.

    Args:
        logit_margins: float32 ``[mh, mw]`` for each box that is not empty, log-odds of "this pixel is the person".
        boxes: clipped to the image.
        width: of the image.
        height: of the image.
        finish: what is done to the masks.
        crop_scale: sides of what the margins cover, as multiples of the box's.
    """
    rows = iter(logit_margins)
    found, claims = [], []
    for box in boxes:
        if box.is_empty:
            found.append(Instance(box, CropMask.empty(), 0.0))
            continue
        margin = smooth(next(rows), finish.smoothing)
        seen = box.scaled(crop_scale)
        mask, score = crop_mask(margin, seen, width, height, finish.threshold)
        mask = dilate(mask, finish.dilation_px, width, height)
        found.append(Instance(box, mask, score))
        claims.append(Claim(mask, margin, seen))
    if not finish.resolve_overlaps:
        return tuple(found)
    resolve_overlaps(claims)
    return tuple(each if each.mask.pixels.any() else Instance(each.box, each.mask, 0.0) for each in found)
