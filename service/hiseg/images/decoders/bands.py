"""Makes RGB of other colour models, some rows at a time, so that no whole image is held in between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import PIL.Image

from hiseg.core.image import Image, Pixels

TRANSPARENT_NOTE = "transparent: laid on white"
_SIXTEEN_BIT_NOTE = "16 bits a channel: reduced to 8"
_CMYK_NOTE = "CMYK: converted to RGB without a colour profile"
_BAND_PIXELS = 2**17
"""Pixels that are converted at a time: few enough for the processor's cache."""
BAND_BYTES = 2**22
"""Most bytes that a band takes while it is converted, and what the libraries need beside pixels."""


def animation_note(frames: int) -> tuple[str, ...]:
    """What the caller should know of an image of so many frames."""
    return (f"animated: the first of {frames} frames was used",) if frames > 1 else ()


def bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of each band of an image; all columns, unless a row alone has too many pixels."""
    columns = min(width, _BAND_PIXELS)
    rows = _BAND_PIXELS // columns
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(height, top + rows)), slice(left, min(width, left + columns))


def lay_on_white(rgba: PIL.Image.Image) -> Pixels:
    """Lay an RGBA image on white: RGB uint8 ``[H, W, 3]``."""
    white = PIL.Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return np.asarray(white.convert("RGB"))


def to_rgb(loaded: PIL.Image.Image, transparent: bool) -> Image:
    """Convert an image that Pillow has decoded to RGB uint8 ``[H, W, 3]``, with a note of what one sees of that.

    Args:
        loaded: of any mode that PNG and JPEG have.
        transparent: whether any of it may be; then it is laid on white.
    """
    convert, note = _to_rgb, ""
    if transparent:
        convert, note = _transparent_to_rgb, TRANSPARENT_NOTE
    elif loaded.mode == "I;16":
        convert, note = _sixteen_bits_to_rgb, _SIXTEEN_BIT_NOTE
    elif loaded.mode == "CMYK":
        note = _CMYK_NOTE
    pixels = np.empty((loaded.height, loaded.width, 3), dtype=np.uint8)
    for rows, columns in bands(loaded.height, loaded.width):
        pixels[rows, columns] = convert(loaded.crop((columns.start, rows.start, columns.stop, rows.stop)))
    return Image(pixels, (note,) if note else ())


def _to_rgb(band: PIL.Image.Image) -> Pixels:
    return np.asarray(band if band.mode == "RGB" else band.convert("RGB"))


def _transparent_to_rgb(band: PIL.Image.Image) -> Pixels:
    return lay_on_white(band.convert("RGBA"))


def _sixteen_bits_to_rgb(band: PIL.Image.Image) -> Pixels:
    return (np.asarray(band) >> 8).astype(np.uint8)[:, :, None]
