"""Raw frames of every layout are decoded to the original image, and wrong sizes are named."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.core.image import Pixels
from hiseg.images.limits import ImageLimits
from hiseg.images.raw import PixelFormat, make_raw_frame

LIMITS = ImageLimits(10**6, 10**6)
RGB24, BGR24, NV12 = PixelFormat.RGB24, PixelFormat.BGR24, PixelFormat.NV12


def picture(width: int, height: int) -> Pixels:
    return np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def padded(rows: Pixels, stride: int, last: bool = True) -> bytes:
    """Rows of bytes with something after each, or after each but the last."""
    wide = np.full((len(rows), stride), 0xAB, dtype=np.uint8)
    wide[:, : rows.shape[1]] = rows
    data = wide.tobytes()
    return data if last else data[: len(data) - stride + rows.shape[1]]


def nv12(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Luma, and chroma in pairs, by OpenCV's own way there."""
    height, width = pixels.shape[:2]
    planar = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    luma, u, v = np.split(planar, [height * width, height * width * 5 // 4])
    return luma.reshape(height, width), np.stack([u, v], axis=1).reshape(height // 2, width)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9), st.booleans(), st.booleans())
def test_packed_pixels_come_back(width: int, height: int, padding: int, reverse: bool, last: bool) -> None:
    pixels = picture(width, height)
    rows = (pixels[:, :, ::-1] if reverse else pixels).reshape(height, 3 * width)
    stride = 3 * width + padding
    frame = make_raw_frame(
        padded(rows, stride, last), BGR24 if reverse else RGB24, width, height, LIMITS, stride if padding else 0
    )
    assert (frame.width, frame.height, frame.nbytes) == (width, height, len(frame.data))
    found = frame.decode()
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.pixels.flags.c_contiguous
    assert found.pixels.dtype == np.uint8
    assert not found.notes


@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_nv12_comes_back_whatever_its_strides(half_w: int, half_h: int, pad: int, more: int, last: bool) -> None:
    width, height = 2 * half_w, 2 * half_h
    luma, chroma = nv12(picture(width, height))
    plain = make_raw_frame(luma.tobytes() + chroma.tobytes(), NV12, width, height, LIMITS).decode()
    stride, chroma_stride = width + pad, width + pad + more
    data = padded(luma, stride) + padded(chroma, chroma_stride, last)
    wide = make_raw_frame(data, NV12, width, height, LIMITS, stride, chroma_stride if more else 0).decode()
    np.testing.assert_array_equal(wide.pixels, plain.pixels)
    assert plain.pixels.shape == (height, width, 3)


def test_nv12_has_the_colours_of_the_image() -> None:
    pixels = cv2.resize(picture(8, 6), (160, 120), interpolation=cv2.INTER_CUBIC)
    luma, chroma = nv12(pixels)
    found = make_raw_frame(luma.tobytes() + chroma.tobytes(), NV12, 160, 120, LIMITS).decode().pixels
    assert np.abs(found.astype(int) - pixels).mean() < 4
    black = make_raw_frame(bytes([16] * 4 + [128] * 2), NV12, 2, 2, LIMITS).decode().pixels
    white = make_raw_frame(bytes([235] * 4 + [128] * 2), NV12, 2, 2, LIMITS).decode().pixels
    assert (black.max(), white.min()) == (0, 255)


@pytest.mark.parametrize(
    ("size", "form", "more", "field", "limit", "value"),
    [
        ((0, 2), RGB24, {}, "width", 1, 0),
        ((2, 0), RGB24, {}, "height", 1, 0),
        ((3, 2), NV12, {}, "width", 2, 3),
        ((2, 3), NV12, {}, "height", 2, 3),
        ((2, 2), RGB24, {"stride": 5}, "stride", 6, 5),
        ((2, 2), NV12, {"stride": 1}, "stride", 2, 1),
        ((2, 2), NV12, {"stride": 4, "chroma_stride": 1}, "chroma_stride", 2, 1),
        ((2, 2), RGB24, {}, "data", 12, 11),
        ((2, 2), RGB24, {"stride": 8}, "data", 16, 11),
        ((2, 2), NV12, {}, "data", 6, 11),
    ],
)
def test_what_does_not_fit_is_named(
    size: tuple[int, int], form: PixelFormat, more: dict[str, Any], field: str, limit: int, value: int
) -> None:
    with pytest.raises(InvalidRequest, match=f"raw_frame.{field} ") as caught:
        make_raw_frame(bytes(11), form, *size, LIMITS, **more)
    assert (caught.value.field, caught.value.limit, caught.value.value) == (f"raw_frame.{field}", limit, value)


def test_too_many_pixels() -> None:
    with pytest.raises(TooLarge, match="2000000 pixels; at most 1000000"):
        make_raw_frame(b"", RGB24, 2000, 1000, LIMITS)
