"""Raw frames -> pixels: what cameras and decoders give, so that nobody has to make a JPEG for us to undo.

Like images, they are checked before anything is copied or converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from hiseg.core.errors import InvalidRequest
from hiseg.core.image import Image, Pixels
from hiseg.images.encoded import ImageLimits, check_pixels

FIELD = "raw_frame"


class PixelFormat(StrEnum):
    """How pixels are written."""

    RGB24 = "rgb24"
    BGR24 = "bgr24"
    NV12 = "nv12"


@dataclass(frozen=True, slots=True)
class RawFrame:
    """Pixels as they came, checked; a :class:`hiseg.core.image.ImageSource`.

    Attributes:
        data: the planes, one after the other.
        form: how they are written.
        width: pixels.
        height: pixels.
        stride: bytes from the beginning of one row to that of the next.
        chroma_stride: the same for NV12's second plane.
    """

    data: bytes
    form: PixelFormat
    width: int
    height: int
    stride: int
    chroma_stride: int

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def decode(self) -> Image:
        """The pixels; of NV12 by BT.601 in its limited range."""
        if self.form is PixelFormat.NV12:
            luma = self._plane(0, self.height, self.width, self.stride)
            chroma = self._plane(self.height * self.stride, self.height // 2, self.width, self.chroma_stride)
            pairs = np.ascontiguousarray(chroma).reshape(self.height // 2, self.width // 2, 2)
            return _image(cv2.cvtColorTwoPlane(np.ascontiguousarray(luma), pairs, cv2.COLOR_YUV2RGB_NV12))
        rows = self._plane(0, self.height, 3 * self.width, self.stride)
        pixels = np.ascontiguousarray(rows).reshape(self.height, self.width, 3)
        return _image(pixels if self.form is PixelFormat.RGB24 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    def _plane(self, offset: int, rows: int, length: int, stride: int) -> Pixels:
        """``rows`` x ``length`` bytes of the data; the last row may come without its padding."""
        flat = np.frombuffer(self.data, dtype=np.uint8, offset=offset)
        return np.lib.stride_tricks.as_strided(flat, (rows, length), (stride, 1), writeable=False)


def raw_frame(
    data: bytes,
    form: PixelFormat,
    width: int,
    height: int,
    limits: ImageLimits,
    stride: int = 0,
    chroma_stride: int = 0,
) -> RawFrame:
    """A frame that can be decoded without fail.

    Args:
        data: the planes, one after the other, with or without the padding of the very last row.
        form: how they are written.
        width: pixels.
        height: pixels.
        limits: how many pixels are taken; of the bytes only those are taken that the pixels need.
        stride: bytes from row to row; 0: there is no padding.
        chroma_stride: the same for NV12's second plane; 0: as the first.

    Raises:
        InvalidRequest: the sizes don't fit each other.
        TooLarge: more pixels than allowed.
    """
    for name, value in (("width", width), ("height", height)):
        if value < 1:
            raise _wrong(name, f"is {value}; at least 1 is needed", 1, value)
        if form is PixelFormat.NV12 and value % 2:
            raise _wrong(name, f"is {value}; with NV12 it must be even", 2, value)
    check_pixels(width, height, limits)
    row = width if form is PixelFormat.NV12 else 3 * width
    stride = _checked("stride", stride or row, row)
    chroma_stride = _checked("chroma_stride", chroma_stride or stride, row)
    if form is PixelFormat.NV12:
        padded, padding = height * stride + height // 2 * chroma_stride, chroma_stride - row
    else:
        padded, padding = height * stride, stride - row
    if len(data) not in (padded, padded - padding):
        raise _wrong(
            "data",
            f"has {len(data)} bytes; {width} x {height} {form.name} with these strides has {padded}",
            padded,
            len(data),
        )
    return RawFrame(data, form, width, height, stride, chroma_stride)


def _checked(name: str, stride: int, row: int) -> int:
    if stride < row:
        raise _wrong(name, f"is {stride}; a row has {row} bytes", row, stride)
    return stride


def _wrong(name: str, words: str, limit: int, value: int) -> InvalidRequest:
    return InvalidRequest(f"{FIELD}.{name} {words}", field=f"{FIELD}.{name}", limit=limit, value=value)


def _image(pixels: np.typing.NDArray[np.generic]) -> Image:
    return Image(pixels.astype(np.uint8, copy=False))
