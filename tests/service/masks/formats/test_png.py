"""PNG crops are read back by Pillow, and packed crops bit by bit."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiseg.core.result import CropMask
from hiseg.core.stop import Abandoned, Stop
from hiseg.masks.formats import png
from hiseg.masks.formats.png import encode_png, packed_bits, png_crop


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_a_crop_is_read_back(pixels: np.ndarray) -> None:
    with PIL.Image.open(io.BytesIO(png_crop(CropMask(5, 7, pixels)))) as picture:
        assert picture.mode == "1"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_an_empty_crop_has_no_file() -> None:
    assert png_crop(CropMask.empty()) == b""


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_packed_bits_are_read_back_as_the_docs_say(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    data = packed_bits(CropMask(5, 7, pixels))
    assert len(data) == height * ((width + 7) // 8)
    rows = np.frombuffer(data, np.uint8).reshape(height, (width + 7) // 8)
    np.testing.assert_array_equal(np.unpackbits(rows, axis=1, count=width), pixels)


def test_the_first_pixel_is_the_highest_bit() -> None:
    assert packed_bits(CropMask(0, 0, np.array([[True, False], [False, True]]))) == b"\x80\x40"


def test_an_empty_crop_has_no_bits() -> None:
    assert packed_bits(CropMask.empty()) == b""


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_png_keeps_every_value(shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    with PIL.Image.open(io.BytesIO(encode_png(pixels))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_is_written_in_strips_that_fit_together(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, channels), dtype=np.uint8)
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    monkeypatch.setattr(png, "STRIP_BYTES", 500)
    with PIL.Image.open(io.BytesIO(encode_png(pixels))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("strip_bytes", [20, 500, 2**20])
def test_png_keeps_every_value_of_16_bits(strip_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 65_536, (50, 40), dtype=np.uint16)
    monkeypatch.setattr(png, "STRIP_BYTES", strip_bytes)
    with PIL.Image.open(io.BytesIO(encode_png(pixels))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), -1), pixels)


def test_writing_a_png_ends_where_nobody_needs_it_any_more() -> None:
    stop = Stop()
    stop.cancel()
    with pytest.raises(Abandoned):
        encode_png(np.zeros((4, 4), np.uint8), stop)
