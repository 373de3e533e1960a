"""Reads the header of an image of any type that is taken."""

from __future__ import annotations

from collections.abc import Callable

from hiseg.core.errors import UndecodableImage
from hiseg.images.headers.header import Header
from hiseg.images.headers.jpeg import read_jpeg
from hiseg.images.headers.png import read_png
from hiseg.images.headers.webp import read_webp
from hiseg.images.kinds import sniff
from hiseg.images.limits import IMAGE_FIELD

_READERS: dict[str, Callable[[bytes], Header]] = {"JPEG": read_jpeg, "PNG": read_png, "WEBP": read_webp}


def read_header(data: bytes) -> Header:
    """Read the header of a JPEG, PNG or WebP image, which is cheap enough for the event loop.

    Whatever the file, it takes no more steps than :mod:`hiseg.images.limits` allows parts, and unpacks nothing. A
    rotation that is written behind the pixels, as PNG allows, is ignored.

    Raises:
        UnsupportedImage: the file is of another type.
        UndecodableImage: the file is empty, its header is damaged, or it has too many parts.
    """
    if not data:
        raise UndecodableImage("the image is empty", field=IMAGE_FIELD, value=0)
    return _READERS[sniff(data)](data)
