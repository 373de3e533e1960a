"""Masks of all kinds are read by pycocotools as they are, in every form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from hiseg.client.result import Instance
from hiseg.core.image import BoolMask
from hiseg.core.result import CropMask
from hiseg.masks.formats.rle import coco_rle
from hiseg.photos.segmentation import SegmentationFormat, to_segmentation

FRAME = (3, 5)
"""Rows above, and columns left of the mask; as many are below and right of it."""
shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def instance(pixels: BoolMask) -> Instance:
    height, width = (side + 2 * frame for side, frame in zip(pixels.shape, FRAME, strict=True))
    counts = coco_rle(CropMask(FRAME[1], FRAME[0], pixels), width, height)["counts"]
    return Instance((0, 0, 1, 1), 0.5, int(pixels.sum()), counts, (height, width))


def as_pycocotools_reads(found: Instance, form: SegmentationFormat, tolerance_px: float = 0) -> BoolMask:
    """As ``COCO.annToMask`` does it."""
    segmentation = to_segmentation(found, form, tolerance_px)
    height, width = found.size
    if isinstance(segmentation, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        rle = coco_mask.frPyObjects(segmentation, height, width)
    else:
        rle = segmentation
    return np.asarray(coco_mask.decode(rle), dtype=bool)


@pytest.mark.parametrize("form", SegmentationFormat)
@given(shapes.flatmap(lambda shape: arrays(np.bool_, shape)))
def test_every_mask_is_read_as_it_is(form: SegmentationFormat, pixels: BoolMask) -> None:
    found = instance(pixels)
    np.testing.assert_array_equal(as_pycocotools_reads(found, form), found.mask)


def test_holes_stay_open_in_simplified_polygons_and_islands_in_them_are_kept() -> None:
    rows, columns = np.mgrid[:60, :80]
    far = np.hypot(rows - 30, (columns - 40) * 0.75)
    found = instance(((far < 28) & (far > 15)) | (far < 6))
    read = as_pycocotools_reads(found, SegmentationFormat.POLYGON, 1.0)
    assert (read & found.mask).sum() / (read | found.mask).sum() > 0.93
    segmentation = to_segmentation(found, SegmentationFormat.POLYGON, 1.0)
    assert isinstance(segmentation, list)
    assert len(segmentation) == 2
    assert all(len(ring) >= 6 and all(type(number) is int for number in ring) for ring in segmentation)
