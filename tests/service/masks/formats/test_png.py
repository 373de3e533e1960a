"""Crops as 1-bit PNG, read back by Pillow."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiseg.core.result import CropMask
from hiseg.masks.formats.png import png_crop


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_round_trip(pixels: np.ndarray) -> None:
    with PIL.Image.open(io.BytesIO(png_crop(CropMask(5, 7, pixels)))) as picture:
        assert picture.mode == "1"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_nobody_has_no_picture() -> None:
    assert png_crop(CropMask.empty()) == b""
