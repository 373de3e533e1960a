"""Writes a mask as COCO's ``segmentation``, in a form that pycocotools reads, whatever the mask is like."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from hiseg.client.result import Instance
from hiseg.client.rle import run_lengths
from hiseg.core.extras import needing

if TYPE_CHECKING:
    from hiseg.masks.formats.polygon import Ring

Segmentation = dict[str, Any] | list[list[int]]
"""Run lengths over the whole image, or rings ``[x1, y1, x2, y2, …]`` in pixels."""


class SegmentationFormat(StrEnum):
    """How masks are written; the names are the service's."""

    COCO_RLE = "coco_rle"
    COCO_RLE_UNCOMPRESSED = "coco_rle_uncompressed"
    POLYGON = "polygon"


def check_format(form: SegmentationFormat) -> None:
    """Check that masks can be written in a format here.

    Raises:
        ExtraMissing: it needs packages that aren't installed.
    """
    if form is SegmentationFormat.POLYGON:
        with needing("--mask-format polygon"):
            import cv2  # noqa: F401


def to_segmentation(instance: Instance, form: SegmentationFormat, tolerance_px: float) -> Segmentation:
    """Write a mask.

    COCO's polygons have no holes. So a ring with holes goes along a line to each of them, around it, and back on the
    same line: whoever fills it, fills what the mask has. A mask without pixels has no ring, and is written as run
    lengths, since pycocotools can't read an empty list.

    Args:
        instance: has the mask.
        form: how it is written.
        tolerance_px: how far, in pixels, the line of a polygon may be simplified.
    """
    if form is SegmentationFormat.COCO_RLE_UNCOMPRESSED:
        return {"size": list(instance.size), "counts": run_lengths(instance.counts).tolist()}
    if form is SegmentationFormat.COCO_RLE or not instance.area:
        return instance.rle
    # Not at the top: it needs OpenCV, which run lengths don't.
    from hiseg.masks.formats.polygon import outline

    polygons = outline(instance.crop, tolerance_px).polygons
    return [_join(polygon.outer, polygon.holes).ravel().tolist() for polygon in polygons]


def _join(outer: Ring, holes: Sequence[Ring]) -> Ring:
    """One ring, int32 ``[P, 2]``, of a ring and the holes in it: from its corner that is nearest to one, and back."""
    for hole in holes:
        distances = np.abs(outer[:, None].astype(np.int64) - hole[None]).sum(axis=2)
        at, first = np.unravel_index(int(distances.argmin()), distances.shape)
        around = np.roll(hole, -int(first), axis=0)
        outer = np.concatenate((outer[: at + 1], around, around[:1], outer[at:]))
    return outer
