"""Turns each kind of image that can be sent into a file's bytes or pixels."""

from __future__ import annotations

import io
import operator
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from hiseg.client.errors import invalid
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
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
MAX_SIZE = 2**31 - 1
"""Largest size of a raw frame that can be written into a message."""
FRAME_SIZES = ("width", "height", "stride", "chroma_stride")


def load_image(image: ImageLike) -> LoadedImage:
    """Return what is to be sent of an image; this reads a path's file.

    Raises:
        TypeError: it is none of the kinds of image.
        InvalidRequest: an array has another shape or dtype, a Pillow image no pixels or numbers that can't be shown, or
            a raw frame sizes that are no numbers.
        OSError: the file can't be read.
    """
    match image:
        case str() | os.PathLike():
            return _read(image)
        case bytes():
            return image
        case RawFrame():
            return _check_frame(image)
        case bytearray() | memoryview():
            return bytes(image)
        case PIL.Image.Image():
            if 0 in image.size:
                shown = f"{image.width} x {image.height}"
                raise invalid(f"the image has no pixels: {shown}", field=IMAGE_FIELD, value=shown)
            # A PNG would lose nothing either, but take longer; other modes, transparency and profiles need one.
            return np.asarray(image) if is_plain(image) else encode_png(image)
        case np.ndarray():
            return _check_pixels(image)
    hint = "; numpy.asarray(image) makes an array of it" if hasattr(image, "__array__") else ""
    raise TypeError(f"an image is a path, bytes, a Pillow image or a NumPy array, not {type(image).__name__}{hint}")


def to_file(image: LoadedImage, jpeg_quality: int | None = None) -> bytes:
    """Encode pixels as a PNG, or as a JPEG of the quality given; a file stays as it is.

    Raises:
        InvalidRequest: it is a raw frame, which needs gRPC.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, RawFrame):
        raise invalid("raw frames need gRPC", field=IMAGE_FIELD, value=image.format)
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
        raise invalid(error.detail, field=IMAGE_FIELD) from error


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        if isinstance(path, str) and URL.match(path):
            raise FileNotFoundError(f"{path} is a URL, and none is fetched; download it, and give its bytes") from None
        raise


def _check_frame(frame: RawFrame) -> RawFrame:
    """A raw frame with bytes and whole numbers, whatever it was made with; whether they fit is for the service to say.

    Raises:
        InvalidRequest: they are none, or none that can be sent.
    """
    try:
        data = frame.data if isinstance(frame.data, bytes) else bytes(memoryview(frame.data))
    except TypeError as error:
        kind = type(frame.data).__name__
        raise invalid("raw_frame.data: it should be bytes", field="raw_frame.data", value=kind) from error
    sizes: dict[str, Any] = {name: _size(f"raw_frame.{name}", getattr(frame, name)) for name in FRAME_SIZES}
    return replace(frame, data=data, **sizes)


def _size(name: str, value: object) -> int:
    try:
        size = operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise invalid(f"{name}: it should be a whole number", field=name, value=repr(value)[:80]) from error
    if not 0 <= size <= MAX_SIZE:
        raise invalid(f"{name} is {size}; it must be from 0 to {MAX_SIZE}", field=name, limit=MAX_SIZE, value=size)
    return size


def _check_pixels(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        shown = f"{pixels.dtype} {list(pixels.shape)}"
        raise invalid(
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
