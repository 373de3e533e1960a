"""A union of masks has the pixels of all of them, wherever their crops lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.result import CropMask, Instance
from hiseg.masks.formats.label_map import label_map
from hiseg.masks.union import unite

WIDTH, HEIGHT = 40, 30


@st.composite
def masks(draw: st.DrawFn) -> CropMask:
    left, top = draw(st.integers(0, WIDTH)), draw(st.integers(0, HEIGHT))
    size = draw(st.integers(0, HEIGHT - top)), draw(st.integers(0, WIDTH - left))
    return CropMask(left, top, np.random.default_rng(draw(st.integers(0, 99))).random(size) > 0.5)


@given(st.lists(masks(), max_size=5))
def test_it_has_every_pixel_of_the_masks_and_no_other(crops: list[CropMask]) -> None:
    united = unite([Instance(Box(0, 0, 1, 1), crop, 0.5) for crop in crops], WIDTH, HEIGHT)
    whole = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for crop in crops:
        whole[crop.region] |= crop.pixels
    assert np.array_equal(label_map([united.mask], WIDTH, HEIGHT) > 0, whole)
    assert united.area == whole.sum()
    assert united.score == (pytest.approx(0.5) if whole.any() else 0)
    assert united.box == Box(0, 0, WIDTH, HEIGHT)


def test_larger_masks_weigh_more_in_its_score() -> None:
    large, small = np.ones((6, 5), dtype=bool), np.ones((2, 5), dtype=bool)
    people = [
        Instance(Box(0, 0, 5, 6), CropMask(0, 0, large), 0.9),
        Instance(Box(0, 0, 5, 6), CropMask(9, 9, small), 0.5),
    ]
    assert unite(people, WIDTH, HEIGHT).score == pytest.approx((30 * 0.9 + 10 * 0.5) / 40)
