"""Makes RGB of other colour models, some rows at a time, so that no whole image is held in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image

from hiseg.core.image import Image, Pixels, Size
from hiseg.core.stop import Stop
from hiseg.images.colours.conversion import Conversion

TRANSPARENT_NOTE = "transparent: laid on white"
CMYK_NOTE = "CMYK: converted to RGB without a colour profile"
OPAQUE = 255
_BAND_PIXELS = 2**17
"""Pixels that are converted at a time: few enough for the processor's cache."""
BAND_BYTES = 2**22
"""Most bytes that a band takes while it is converted, and what the libraries need beside pixels."""
Read = Callable[[slice, slice], tuple[PIL.Image.Image, PIL.Image.Image | None]]
"""Gives the rows and columns of a band: its sRGB colours, mode ``RGB`` or ``RGBA``, and how opaque they are, ``L``,
which is None if all of it is."""


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


def to_rgb(size: Size, read: Read, stop: Stop) -> Image:
    """Put an image together of its bands, laid on white where it is transparent.

    Args:
        size: height and width.
        read: gives the bands.
        stop: looked at before each band.

    Returns:
        Without notes.

    Raises:
        Exception: what :meth:`Stop.check` or ``read`` raises.
    """
    pixels = np.empty((*size, 3), dtype=np.uint8)
    alpha: Pixels | None = None
    for band in bands(*size):
        stop.check()
        colours, opacity = read(*band)
        if opacity is not None and opacity.getextrema() != (OPAQUE, OPAQUE):
            if alpha is None:
                alpha = np.full(size, OPAQUE, dtype=np.uint8)
            alpha[band] = np.asarray(opacity)
            if colours.mode != "RGBA":
                colours.putalpha(opacity)
            pixels[band] = lay_on_white(colours)
        else:
            pixels[band] = np.asarray(colours if colours.mode == "RGB" else colours.convert("RGB"))
    return Image(pixels, alpha=alpha)


def convert_in_place(pixels: Pixels, conversion: Conversion, stop: Stop) -> None:
    """Convert RGB uint8 ``[H, W, 3]`` to sRGB in place.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    if not conversion.changes:
        return
    for band in bands(*pixels.shape[:2]):
        stop.check()
        pixels[band] = np.asarray(conversion.apply(PIL.Image.fromarray(pixels[band])))
