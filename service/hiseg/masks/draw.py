"""Makes instances of the model's output: each mask is drawn at the size of what it covers, then post-processed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hiseg.core.box import Box
from hiseg.core.errors import Reason, TooLarge
from hiseg.core.image import Floats
from hiseg.core.job import PostProcessing
from hiseg.core.result import CropMask, Instance
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.dilation import dilate
from hiseg.masks.logits import crop_mask
from hiseg.masks.overlaps import Claim, resolve_overlaps
from hiseg.masks.smoothing import smooth

MAX_MASK_PIXELS = 200_000_000
"""Upper limit of the pixels that all crops of one image have together: they overlap, so those of a crowd have more
pixels than the image."""


@dataclass(frozen=True, slots=True)
class CropSizes:
    """How large the crops are that :func:`draw_masks` makes for an image.

    Attributes:
        count: number of crops.
        pixels: pixels of all of them; each takes one byte.
        largest: pixels of the largest.
        sides: width and height of all of them, added up.
    """

    count: int = 0
    pixels: int = 0
    largest: int = 0
    sides: int = 0


def measure_crops(boxes: Iterable[Box], width: int, height: int, post_processing: PostProcessing) -> CropSizes:
    """Measure all crops that :func:`draw_masks` will make.

    Args:
        boxes: what the crops cover, before they are clipped to the image; none is empty.
        width: width of the image in pixels.
        height: height of the image in pixels.
        post_processing: its dilation makes crops larger.

    Raises:
        TooLarge: they are more than :data:`MAX_MASK_PIXELS`.
    """
    margin = post_processing.dilation_px
    count = pixels = largest = sides = 0
    for box in boxes:
        crop_width = min(width, math.ceil(box.x2) + margin) - max(0, math.floor(box.x1) - margin)
        crop_height = min(height, math.ceil(box.y2) + margin) - max(0, math.floor(box.y1) - margin)
        count += 1
        pixels += crop_width * crop_height
        largest = max(largest, crop_width * crop_height)
        sides += crop_width + crop_height
    if pixels > MAX_MASK_PIXELS:
        raise TooLarge(
            f"the boxes' masks cover {pixels} pixels of the image together; at most {MAX_MASK_PIXELS} are taken",
            reason=Reason.TOO_MANY_MASK_PIXELS,
            field="boxes",
            limit=MAX_MASK_PIXELS,
            value=pixels,
        )
    return CropSizes(count, pixels, largest, sides)


def draw_masks(
    logit_margins: Iterable[Floats],
    boxes: Sequence[Box],
    width: int,
    height: int,
    post_processing: PostProcessing,
    crop_scale: float = 1.0,
    stop: Stop = NEVER,
) -> tuple[Instance, ...]:
    """Draw one instance per box, in their order.

    Args:
        logit_margins: float32 ``[mh, mw]`` for each box that is not empty: log-odds of "this pixel is the person".
        boxes: boxes clipped to the image; an empty one gets an empty mask.
        width: width of the image in pixels.
        height: height of the image in pixels.
        post_processing: the steps between logits and finished mask.
        crop_scale: sides of what the margins cover, as multiples of the box's sides.
        stop: looked at before each mask.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    rows = iter(logit_margins)
    found, claims = [], []
    for box in boxes:
        stop.check()
        if box.is_empty:
            found.append(Instance(box, CropMask.empty(), 0.0))
            continue
        logit_margin = smooth(next(rows), post_processing.smoothing)
        crop_box = box.scaled(crop_scale)
        mask, score = crop_mask(logit_margin, crop_box, width, height, post_processing.threshold)
        mask = dilate(mask, post_processing.dilation_px, width, height, stop)
        found.append(Instance(box, mask, score))
        claims.append(Claim(mask, logit_margin, crop_box, box))
    if not post_processing.resolve_overlaps:
        return tuple(found)
    resolve_overlaps(claims, stop)
    return tuple(each if each.mask.pixels.any() else Instance(each.box, each.mask, 0.0) for each in found)
