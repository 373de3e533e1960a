"""Reads raw frames, as cameras and video decoders give them, so that nobody has to make a JPEG only to have it undone.

Like encoded images, they are checked before anything is copied or converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from hiseg.core.errors import InvalidRequest
from hiseg.core.image import Image, Pixels, Size
from hiseg.core.stop import NEVER, Stop
from hiseg.images.limits import ImageLimits, check_pixels

RAW_FRAME_FIELD = "raw_frame"


class PixelFormat(StrEnum):
    """Layout of a raw frame's pixels: interleaved RGB or BGR, or a luma plane and a plane of Cb Cr pairs (NV12)."""

    RGB24 = "rgb24"
    BGR24 = "bgr24"
    NV12 = "nv12"


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A raw frame whose sizes were checked; a :class:`hiseg.core.image.ImageSource`.

    Attributes:
        data: the planes, one after the other.
        pixel_format: layout of the pixels.
        width: width in pixels.
        height: height in pixels.
        stride: bytes from the beginning of one row to the beginning of the next.
        chroma_stride: the same for NV12's second plane.
    """

    data: bytes
    pixel_format: PixelFormat
    width: int
    height: int
    stride: int
    chroma_stride: int

    @property
    def nbytes(self) -> int:
        """Size of the planes in bytes."""
        return len(self.data)

    @property
    def decoding_bytes(self) -> int:
        """The result, and the planes once more if rows are padded."""
        return len(self.data) + 3 * self.width * self.height

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        """The same for any size, since frames are always converted in full."""
        return self.decoding_bytes

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        """Convert the frame to RGB uint8 ``[H, W, 3]``; NV12 is read as BT.601 in limited range."""
        if self.pixel_format is PixelFormat.NV12:
            luma = self._plane(0, self.height, self.width, self.stride)
            chroma = self._plane(self.height * self.stride, self.height // 2, self.width, self.chroma_stride)
            pairs = np.ascontiguousarray(chroma).reshape(self.height // 2, self.width // 2, 2)
            return _image(cv2.cvtColorTwoPlane(np.ascontiguousarray(luma), pairs, cv2.COLOR_YUV2RGB_NV12))
        rows = self._plane(0, self.height, 3 * self.width, self.stride)
        pixels = np.ascontiguousarray(rows).reshape(self.height, self.width, 3)
        return _image(pixels if self.pixel_format is PixelFormat.RGB24 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    def _plane(self, offset: int, rows: int, length: int, stride: int) -> Pixels:
        """View a plane as uint8 ``[rows, length]`` without copying; the last row may lack its padding.

        Args:
            offset: bytes before the plane.
            rows: rows of the plane.
            length: bytes of a row without padding.
            stride: bytes from row to row.
        """
        flat = np.frombuffer(self.data, dtype=np.uint8, offset=offset)
        return np.lib.stride_tricks.as_strided(flat, (rows, length), (stride, 1), writeable=False)


def make_raw_frame(
    data: bytes,
    pixel_format: PixelFormat,
    width: int,
    height: int,
    limits: ImageLimits,
    stride: int = 0,
    chroma_stride: int = 0,
) -> RawFrame:
    """Check the sizes of a raw frame, so that decoding it cannot fail.

    Args:
        data: the planes, one after the other, with or without the padding of the very last row.
        pixel_format: layout of the pixels.
        width: width in pixels.
        height: height in pixels.
        limits: how many pixels are allowed; bytes are bounded by the pixels.
        stride: bytes from row to row; 0 means that rows are not padded.
        chroma_stride: the same for NV12's second plane; 0 means the same as the first plane's.

    Raises:
        InvalidRequest: the sizes do not fit each other.
        TooLarge: the frame has more pixels than allowed.
    """
    for name, value in (("width", width), ("height", height)):
        if value < 1:
            raise _invalid(name, f"is {value}; at least 1 is needed", 1, value)
        if pixel_format is PixelFormat.NV12 and value % 2:
            raise _invalid(name, f"is {value}; with NV12 it must be even", 2, value)
    check_pixels(width, height, limits)
    row = width if pixel_format is PixelFormat.NV12 else 3 * width
    stride = _checked_stride("stride", stride or row, row)
    chroma_stride = _checked_stride("chroma_stride", chroma_stride or stride, row)
    if pixel_format is PixelFormat.NV12:
        padded, padding = height * stride + height // 2 * chroma_stride, chroma_stride - row
    else:
        padded, padding = height * stride, stride - row
    if len(data) not in (padded, padded - padding):
        raise _invalid(
            "data",
            f"has {len(data)} bytes; {width} x {height} {pixel_format.name} with these strides has {padded}",
            padded,
            len(data),
        )
    return RawFrame(data, pixel_format, width, height, stride, chroma_stride)


def _checked_stride(name: str, stride: int, row: int) -> int:
    """Return the stride, or raise :class:`InvalidRequest` if a row of ``row`` bytes does not fit into it."""
    if stride < row:
        raise _invalid(name, f"is {stride}; a row has {row} bytes", row, stride)
    return stride


def _invalid(name: str, words: str, limit: int, value: int) -> InvalidRequest:
    """The error of one field of the frame."""
    return InvalidRequest(
        f"{RAW_FRAME_FIELD}.{name} {words}", field=f"{RAW_FRAME_FIELD}.{name}", limit=limit, value=value
    )


def _image(pixels: np.typing.NDArray[np.generic]) -> Image:
    """An image of RGB ``[H, W, 3]`` as OpenCV returns it, uint8 of a type that mypy does not know."""
    return Image(pixels.astype(np.uint8, copy=False))
