"""A request that the client has checked, as the service's own parts take it, without a transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hiseg.api.options import Options
from hiseg.api.validation import read_values
from hiseg.client import RawFrame
from hiseg.client.images import LoadedImage
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import Image, ImageSource
from hiseg.images.limits import ImageLimits, check_pixels
from hiseg.images.raw import PixelFormat, make_raw_frame


def read_options(options: Mapping[str, Any]) -> Options:
    """Check the options that the client leaves to the service.

    Raises:
        InvalidRequest: one has a value that it can't have.
    """
    return read_values(Options, options)


def to_source(image: LoadedImage, limits: ImageLimits) -> bytes | ImageSource:
    """The image itself; pixels and raw frames are checked, and files when their headers are read.

    Args:
        image: as the client would send it.
        limits: how many pixels are taken.

    Raises:
        InvalidRequest: a raw frame's sizes don't fit each other, or its format isn't known.
        TooLarge: there are too many pixels.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, RawFrame):
        return _to_raw_frame(image, limits)
    height, width, _ = image.shape
    check_pixels(width, height, limits)
    return Image(np.ascontiguousarray(image))


def _to_raw_frame(frame: RawFrame, limits: ImageLimits) -> ImageSource:
    known: list[Any] = [each.value for each in PixelFormat]
    if frame.format not in known:
        told = f"pixel_format: {frame.format!r} is none of {', '.join(known)}"
        raise InvalidRequest(told, field="pixel_format", limit=known, value=frame.format)
    sizes = frame.width, frame.height, limits, frame.stride, frame.chroma_stride
    return make_raw_frame(frame.data, PixelFormat(frame.format), *sizes)
