"""The model's rows -> instances: each mask made at the size of its box, then finished as was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.domain import Box, CropMask, Finish, Floats, Instance
from service.masks.crop import crop_mask
from service.masks.dilation import dilate
from service.masks.overlaps import Claim, resolve_overlaps
from service.masks.smoothing import smooth


def draw_masks(
    margins: Iterable[Floats], boxes: Sequence[Box], width: int, height: int, finish: Finish
) -> tuple[Instance, ...]:
    """One instance per box, in their order.

    Args:
        margins: float32 ``[mh, mw]`` for each box that is not empty, log-odds of "this pixel is the person".
        boxes: clipped to the image.
        width: of the image.
        height: of the image.
        finish: what is done to the masks.
    """
    rows = iter(margins)
    found, claims = [], []
    for box in boxes:
        if box.is_empty:
            found.append(Instance(box, CropMask.empty(), 0.0))
            continue
        margin = smooth(next(rows), finish.smoothing)
        mask, score = crop_mask(margin, box, width, height, finish.threshold)
        mask = dilate(mask, finish.dilation_px, width, height)
        found.append(Instance(box, mask, score))
        claims.append(Claim(mask, margin, box))
    if not finish.resolve_overlaps:
        return tuple(found)
    resolve_overlaps(claims)
    return tuple(each if each.mask.pixels.any() else Instance(each.box, each.mask, 0.0) for each in found)
