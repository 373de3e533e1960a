"""Label maps have one value per instance."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg.core.result import CropMask
from hiseg.masks.formats.label_map import label_map


def block(left: int, top: int, height: int, width: int) -> CropMask:
    return CropMask(left, top, np.ones((height, width), dtype=np.bool_))


def test_labels_follow_the_order_and_the_smaller_is_in_front() -> None:
    labels = label_map([block(2, 2, 2, 2), block(0, 0, 6, 6), CropMask.empty(), block(7, 0, 1, 1)], 8, 6)
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[:6, :6] = 2
    expected[2:4, 2:4] = 1
    expected[0, 7] = 4
    np.testing.assert_array_equal(labels, expected)


def test_more_than_255_instances_are_refused() -> None:
    with pytest.raises(ValueError, match="256"):
        label_map([CropMask.empty()] * 256, 2, 2)
