"""Label maps have one value per instance."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg.core.errors import TooLarge
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


def test_of_a_person_found_twice_the_first_is_in_front() -> None:
    once, larger = block(2, 2, 3, 3), block(1, 2, 4, 4)
    np.testing.assert_array_equal(label_map([once, once, once], 8, 6), label_map([once], 8, 6))
    assert (label_map([larger, once], 8, 6) == 2).sum() == once.area, "the smaller one whole, as for anybody"


def test_many_people_have_pixels_of_16_bits_and_the_smaller_is_still_in_front() -> None:
    people = [block(index % 20, index // 20, 1, 1) for index in range(400)]
    labels = label_map([block(0, 0, 20, 20), *people], 20, 20)
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, np.arange(2, 402).reshape(20, 20))
    assert label_map(people[:255], 20, 20).dtype == np.uint8


def test_more_people_than_there_are_numbers_are_refused() -> None:
    with pytest.raises(TooLarge) as refused:
        label_map([CropMask.empty()] * 65_536, 2, 2)
    assert (refused.value.field, refused.value.limit, refused.value.value) == ("mask_format", 65_535, 65_536)
