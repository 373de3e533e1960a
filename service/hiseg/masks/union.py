"""Unites the masks of several people into one: what is asked for with boxes, where nobody needs to be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.box import Box
from hiseg.core.result import CropMask, Instance
from hiseg.core.stop import NEVER, Stop


def unite(instances: Sequence[Instance], width: int, height: int, stop: Stop = NEVER) -> Instance:
    """Unite the masks of instances: a pixel belongs to the union if it belongs to any of them.

    Args:
        instances: any number, none included.
        width: width of the image in pixels.
        height: height of the image in pixels.
        stop: looked at before each mask.

    Returns:
        An instance whose box is the image. Its mask is the smallest crop that holds the crops of all masks with pixels,
        and its score the mean of their scores, each weighted by the area of its mask; 0 for an empty mask.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    masks = [instance.mask for instance in instances if instance.mask.pixels.size]
    if not masks:
        return Instance(Box(0, 0, width, height), CropMask.empty(), 0.0)
    left, top = min(mask.left for mask in masks), min(mask.top for mask in masks)
    right = max(mask.left + mask.pixels.shape[1] for mask in masks)
    bottom = max(mask.top + mask.pixels.shape[0] for mask in masks)
    pixels = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for mask in masks:
        stop.check()
        rows, columns = mask.pixels.shape
        pixels[mask.top - top : mask.top - top + rows, mask.left - left : mask.left - left + columns] |= mask.pixels
    areas = [instance.area for instance in instances]
    weighted = sum(instance.score * area for instance, area in zip(instances, areas, strict=True))
    score = weighted / sum(areas) if any(areas) else 0.0
    return Instance(Box(0, 0, width, height), CropMask(left, top, pixels), score)
