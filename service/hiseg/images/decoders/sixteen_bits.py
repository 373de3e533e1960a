"""Decodes a PNG of 16 bits a colour with all of them, since 8 are too few for some curves, and for fewer bits in 16.

Cameras of 10 or 12 bits have their numbers stored as they are by some programs, so that the image is almost black by
the book and in every viewer. Nothing can be found on such an image; so it is made as bright as it was meant to be.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from hiseg.core.image import Image, Pixels
from hiseg.core.stop import Stop
from hiseg.images.colours.conversion import Conversion
from hiseg.images.decoders.bands import Read, bands, to_rgb
from hiseg.images.headers.header import Header

_Samples = npt.NDArray[np.uint16]
_NOTE = "16 bits a channel: reduced to 8"
_FEWER_NOTE = "16 bits a channel, of which the lower {bits} are used: reduced to 8 as if it had {bits}"
_USUAL_BITS = (8, 10, 12)
"""Bits of sensors whose numbers are stored without being shifted up."""


def decode_sixteen_bits(stream: bytes, header: Header, key: int | None, conversion: Conversion, stop: Stop) -> Image:
    """Decode to RGB of 8 bits.

    Args:
        stream: the file, with nothing in it but size, transparent colour and pixels.
        header: its header.
        key: the number of grey that is transparent; None if none is, or if it isn't grey.
        conversion: what makes its colours sRGB.
        stop: looked at between the steps.

    Raises:
        ValueError: it is truncated or damaged.
        Exception: what :meth:`Stop.check` raises.
    """
    samples = cv2.imdecode(np.frombuffer(stream, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16 or samples.shape[1::-1] != (header.width, header.height):
        raise ValueError("some of its pixels are missing or can't be read")
    stored: _Samples = samples.reshape(header.height, header.width, -1).astype(np.uint16, copy=False)
    bits = _used_bits(stored, header, stop)
    image = to_rgb((header.height, header.width), _reader(stored, header, key, bits, conversion), stop)
    note = _NOTE if bits == header.bits else _FEWER_NOTE.format(bits=bits)
    return Image(image.pixels, (note,), image.alpha)


def _used_bits(stored: _Samples, header: Header, stop: Stop) -> int:
    """How many of the lower bits of colours have anything in them, as sensors have; 16 unless that is plain."""
    largest, colours = 0, 1 if header.is_grey else 3
    is_said = 0 < header.significant_bits <= header.bits
    possible = (header.significant_bits,) if is_said else _USUAL_BITS
    for band in bands(*stored.shape[:2]):
        stop.check()
        largest = max(largest, int(stored[band][..., :colours].max()))
        if largest >= 2 ** possible[-1]:
            break
    return next((bits for bits in possible if 0 < largest < 2**bits), header.bits)


def _reader(stored: _Samples, header: Header, key: int | None, bits: int, conversion: Conversion) -> Read:
    to_srgb = _converter(bits, conversion)
    # Who doesn't shift colours up doesn't shift how opaque they are either.
    is_alpha_low = stored.shape[2] == 4 and bits < header.bits and int(stored[..., 3].max()) < 2**bits

    def opacity(alpha: _Samples) -> Pixels:
        return (alpha.astype(np.uint32) * 255 // (2**bits - 1) if is_alpha_low else alpha >> 8).astype(np.uint8)

    def read(rows: slice, columns: slice) -> tuple[PIL.Image.Image, PIL.Image.Image | None]:
        band = stored[rows, columns]
        alpha = opacity(band[..., 3]) if band.shape[2] == 4 else None
        if key is not None:
            alpha = np.where(band[..., 0] == key, 0, 255).astype(np.uint8)
        return to_srgb(_colours(band, header)), None if alpha is None else PIL.Image.fromarray(alpha)

    return read


def _colours(band: _Samples, header: Header) -> _Samples:
    """Grey ``[H, W]`` or RGB ``[H, W, 3]``: OpenCV gives blue first, and grey with transparency as a colour."""
    if header.is_grey:
        return band[..., 0]
    order = cv2.COLOR_BGRA2RGB if band.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(np.ascontiguousarray(band), order).astype(np.uint16, copy=False)


def _converter(bits: int, conversion: Conversion) -> Callable[[_Samples], PIL.Image.Image]:
    """What makes sRGB, mode ``RGB``, of ``[H, W]`` or ``[H, W, 3]`` of which so many lower bits are used."""
    stored = np.arange(2**16)
    numbers = np.minimum(stored / (2**bits - 1), 1)
    if conversion.described is not None:
        light = conversion.described.light(numbers)
        return lambda samples: conversion.from_light(light[samples])
    if bits == 16:
        return lambda samples: conversion.apply(PIL.Image.fromarray((samples >> 8).astype(np.uint8)))
    levels = np.rint(255 * numbers).astype(np.uint8)
    return lambda samples: conversion.apply(PIL.Image.fromarray(levels[samples]))
