"""Crops as bits, read back as the README says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiseg.core.result import CropMask
from hiseg.masks.formats.packed import packed_bits


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_round_trip(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    data = packed_bits(CropMask(5, 7, pixels))
    assert len(data) == height * ((width + 7) // 8)
    rows = np.frombuffer(data, np.uint8).reshape(height, (width + 7) // 8)
    np.testing.assert_array_equal(np.unpackbits(rows, axis=1, count=width), pixels)


def test_the_first_pixel_is_the_highest_bit() -> None:
    assert packed_bits(CropMask(0, 0, np.array([[True, False], [False, True]]))) == b"\x80\x40"


def test_nobody_has_no_bits() -> None:
    assert packed_bits(CropMask.empty()) == b""
