"""The kinds of image that can be sent -> a file's bytes, or pixels."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from hiseg.client.errors import InvalidRequest
from hiseg.core.image import Pixels

FIELD = "image"
IN_PNG = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
"""Pillow's colour models that a PNG holds."""
FAST = 1
"""Compression level: a fifth of the time of the usual one, for some more bytes."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """Pixels as a decoder or a camera gives them; gRPC only.

    Attributes:
        format: ``rgb24``, ``bgr24`` or ``nv12`` (BT.601, limited range).
        width: pixels.
        height: pixels.
        data: row after row; of NV12 the plane of luma, then that of chroma.
        stride: bytes from the beginning of a row to that of the next; 0: rows follow each other without padding.
        chroma_stride: the same for the second plane of NV12; 0: as ``stride``.
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
Loaded = bytes | Pixels | RawFrame
"""An encoded file, RGB pixels, or a raw frame."""


def load(image: ImageLike) -> Loaded:
    """What is to be sent; reads a path's file.

    Raises:
        TypeError: none of the kinds.
        InvalidRequest: an array of another shape or type.
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
            # A file would lose nothing, but take longer; colour models with more to say keep saying it.
            plain = image.mode == "RGB" and "transparency" not in image.info
            return np.asarray(image) if plain else encoded(image)
        case np.ndarray():
            return _checked(image)
    raise TypeError(f"an image is a path, bytes, a Pillow image or a NumPy array, not {type(image).__name__}")


def as_file(image: Loaded, jpeg_quality: int | None = None) -> bytes:
    """The image as a file: pixels as PNG, or as JPEG of some quality.

    Raises:
        InvalidRequest: a raw frame, which is for gRPC.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, RawFrame):
        raise InvalidRequest("raw frames need gRPC", field=FIELD, value=image.format)
    return encoded(PIL.Image.fromarray(image), jpeg_quality)


def encoded(image: PIL.Image.Image, jpeg_quality: int | None = None) -> bytes:
    """A PNG, or a JPEG of the quality given, with the colour at full resolution."""
    file = io.BytesIO()
    if jpeg_quality is not None:
        image.save(file, "JPEG", quality=jpeg_quality, subsampling=0)
    else:
        (image if image.mode in IN_PNG else image.convert("RGB")).save(file, "PNG", compress_level=FAST)
    return file.getvalue()


def upright(image: ImageLike) -> Pixels:
    """RGB pixels as the service sees them, to draw on.

    Raises:
        TypeError: a raw frame, or none of the kinds.
    """
    match image:
        case np.ndarray():
            return _checked(image)
        case PIL.Image.Image():
            return np.asarray(image.convert("RGB"))
        case RawFrame():
            raise TypeError("a raw frame can't be drawn on; convert it to RGB")
    data = load(image)
    assert isinstance(data, bytes)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        shown = f"{pixels.dtype} {list(pixels.shape)}"
        raise InvalidRequest(f"an array must be uint8 [height, width, 3], not {shown}", field=FIELD, value=shown)
    return pixels
