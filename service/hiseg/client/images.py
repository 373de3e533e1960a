"""Turns each kind of image that can be sent into a file's bytes or pixels."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from hiseg.client.errors import InvalidRequest
from hiseg.core.errors import HisegError
from hiseg.core.image import Pixels

IMAGE_FIELD = "image"
PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
"""Pillow's image modes that a PNG can hold."""
PNG_LEVEL = 1
"""Compression level of PNGs: takes a fifth of the default's time, for some more bytes."""


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
        InvalidRequest: an array has another shape or dtype.
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
            # A PNG would lose nothing either, but take longer; other modes, and transparency, need one.
            plain = image.mode == "RGB" and "transparency" not in image.info
            return np.asarray(image) if plain else encode_image(image)
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
    return encode_image(PIL.Image.fromarray(image), jpeg_quality)


def encode_image(image: PIL.Image.Image, jpeg_quality: int | None = None) -> bytes:
    """Encode an image as a PNG, or as a JPEG of the quality given, with colour at full resolution."""
    file = io.BytesIO()
    if jpeg_quality is not None:
        image.save(file, "JPEG", quality=jpeg_quality, subsampling=0)
    else:
        (image if image.mode in PNG_MODES else image.convert("RGB")).save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def to_upright_rgb(image: ImageLike) -> Pixels:
    """Decode an image by the service's own code, to draw on: RGB, uint8 ``[H, W, 3]``, EXIF rotation applied.

    Raises:
        TypeError: it is a raw frame, or none of the kinds of image.
        InvalidRequest: the file is of a type that the service doesn't read, or damaged.
        ImportError: a decoder isn't installed.
    """
    match image:
        case np.ndarray():
            return _check_pixels(image)
        case PIL.Image.Image():
            return np.asarray(image.convert("RGB"))
        case RawFrame():
            raise TypeError("a raw frame can't be drawn on; convert it to RGB")
    data = load_image(image)
    assert isinstance(data, bytes)
    # Who only sends images needs no decoder.
    from hiseg.images.encoded import inspect
    from hiseg.images.limits import UNLIMITED

    try:
        return inspect(data, UNLIMITED).decode().pixels
    except HisegError as error:
        raise InvalidRequest(error.detail, field=IMAGE_FIELD) from error


def _check_pixels(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        shown = f"{pixels.dtype} {list(pixels.shape)}"
        raise InvalidRequest(f"an array must be uint8 [height, width, 3], not {shown}", field=IMAGE_FIELD, value=shown)
    return pixels
