"""Turns each kind of image that can be sent into a file's bytes or pixels."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from hiseg.client.errors import InvalidRequest
from hiseg.client.pillow_images import IMAGE_FIELD, encode_png, is_plain
from hiseg.core.errors import HisegError
from hiseg.core.extras import needing
from hiseg.core.image import Pixels


@dataclass(frozen=True, slots=True)
class RawFrame:
    """Pixels as a decoder or a camera gives them; gRPC only.

    Attributes:
        format: ``rgb24``, ``bgr24`` or ``nv12`` (BT.601, limited range).
        width: width, pixels.
        height: height, pixels.
        data: rows one after the other; of NV12 the luma plane, then the chroma plane.
        stride: bytes from the start of a row to that of the next; 0: rows have no padding.
        chroma_stride: the same for NV12's chroma plane; 0: the same as ``stride``.
    """

    format: str
    width: int
    height: int
    data: bytes
    stride: int = 0
    chroma_stride: int = 0


ImageLike = str | os.PathLike[str] | bytes | bytearray | memoryview | PIL.Image.Image | Pixels | RawFrame
"""A path, an encoded file, a Pillow image, an array uint8 ``[H, W, 3]`` in RGB, or a raw frame. Of a file, EXIF
rotation is applied; a Pillow image and an array are taken as their pixels are."""
LoadedImage = bytes | Pixels | RawFrame
"""An encoded file, RGB pixels uint8 ``[H, W, 3]``, or a raw frame."""


def load_image(image: ImageLike) -> LoadedImage:
    """Return what is to be sent of an image; this reads a path's file.

    Raises:
        TypeError: it is none of the kinds of image.
        InvalidRequest: an array has another shape or dtype, or a Pillow image numbers that can't be shown.
        OSError: the file can't be read.
    """
    match image:
        case str() | os.PathLike():
            return Path(image).read_bytes()
        case bytes() | RawFrame():
            return image
        case bytearray() | memoryview():
            return bytes(image)
        case PIL.Image.Image():
            # A PNG would lose nothing either, but take longer; other modes, transparency and profiles need one.
            return np.asarray(image) if is_plain(image) else encode_png(image)
        case np.ndarray():
            return _check_pixels(image)
    raise TypeError(f"an image is a path, bytes, a Pillow image or a NumPy array, not {type(image).__name__}")


def to_file(image: LoadedImage, jpeg_quality: int | None = None) -> bytes:
    """Encode pixels as a PNG, or as a JPEG of the quality given; a file stays as it is.

    Raises:
        InvalidRequest: it is a raw frame, which needs gRPC.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, RawFrame):
        raise InvalidRequest("raw frames need gRPC", field=IMAGE_FIELD, value=image.format)
    picture = PIL.Image.fromarray(image)
    if jpeg_quality is None:
        return encode_png(picture)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=jpeg_quality, subsampling=0)  # colour at full resolution
    return file.getvalue()


def to_upright_rgb(image: ImageLike) -> Pixels:
    """Decode an image by the service's own code, to draw on: RGB, uint8 ``[H, W, 3]``, EXIF rotation applied.

    Raises:
        TypeError: it is a raw frame, or none of the kinds of image.
        InvalidRequest: the file is of a type that the service doesn't read, or damaged.
        ExtraMissing: a decoder isn't installed.
    """
    if isinstance(image, RawFrame):
        raise TypeError("a raw frame can't be drawn on; convert it to RGB")
    data = load_image(image)
    if not isinstance(data, bytes):
        assert isinstance(data, np.ndarray)
        return data
    with needing("decoding an image"):  # who only sends images decodes none
        from hiseg.images.encoded import inspect
        from hiseg.images.limits import UNLIMITED

    try:
        return inspect(data, UNLIMITED).decode().pixels
    except HisegError as error:
        raise InvalidRequest(error.detail, field=IMAGE_FIELD) from error


def _check_pixels(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        shown = f"{pixels.dtype} {list(pixels.shape)}"
        raise InvalidRequest(
            f"an array must be uint8 [height, width, 3], not {shown}{_hint(pixels)}", field=IMAGE_FIELD, value=shown
        )
    return pixels


def _hint(pixels: np.typing.NDArray[np.generic]) -> str:
    """What the caller of an array of another kind probably has to do."""
    if pixels.ndim == 4:
        return "; it looks like several images, which are sent one by one"
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) and pixels.shape[2] not in (1, 3, 4):
        return "; put its colours last: numpy.moveaxis(image, 0, -1)"
    if pixels.dtype.kind == "f":
        return "; if its numbers are 0 to 1: (255 * image).round().astype(numpy.uint8)"
    if pixels.dtype in (np.uint8, np.uint16) and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 4)):
        return "; as a Pillow image it may be grey or transparent: PIL.Image.fromarray(image)"
    return ""
