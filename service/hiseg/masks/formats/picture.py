"""Files of whole pictures for people: PNG, or as small as a JPEG or WebP, by the end of the file's name."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import PurePath

import numpy as np
import PIL.Image

from hiseg.core.errors import Reason, TooLarge
from hiseg.core.image import Labels, Pixels
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.png import encode_png

QUALITY = 92
"""Quality of JPEG and lossy WebP, 1 to 100: at this one, lines that are drawn on a photo show no dirt around them."""
WHITE = 255


class PictureType(StrEnum):
    """Types of file of a picture; the value is the end of its name."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"


SUFFIXES = {".png": PictureType.PNG, ".jpg": PictureType.JPEG, ".jpeg": PictureType.JPEG, ".webp": PictureType.WEBP}
"""The type of each end of a name, in small letters."""
MAX_SIDES = {PictureType.PNG: 2**31 - 1, PictureType.JPEG: 65_500, PictureType.WEBP: 16_383}
"""Most pixels that a side may have, by the type's own rules or its library's."""


def picture_type(path: PurePath) -> PictureType | None:
    """The type that a file's name ends with; None: it ends with none."""
    return SUFFIXES.get(path.suffix.lower())


def encode_picture(pixels: Pixels | Labels, kind: PictureType, stop: Stop = NEVER) -> bytes:
    """Encode pixels as a file.

    Args:
        pixels: uint8, grey ``[H, W]``, RGB ``[H, W, 3]`` or RGBA ``[H, W, 4]``; of PNG also uint16, grey. In a JPEG,
            which has no transparency, RGBA is laid on white.
        kind: the file's type; all but PNG change pixels a little.
        stop: looked at before the work, and within it if it is a PNG.

    Raises:
        TooLarge: a side has more pixels than the type can have.
        Exception: what :meth:`Stop.check` raises.
    """
    height, width = pixels.shape[:2]
    if max(height, width) > MAX_SIDES[kind]:
        raise TooLarge(
            f"a picture of {width} x {height} pixels can't be written as .{kind}, which has at most {MAX_SIDES[kind]} "
            "pixels a side; write it as .png",
            reason=Reason.SIDE_TOO_LONG,
            limit=MAX_SIDES[kind],
            value=max(height, width),
        )
    if kind is PictureType.PNG:
        return encode_png(pixels, stop)
    stop.check()
    if kind is PictureType.JPEG and pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _on_white(pixels.astype(np.uint8, copy=False))
    file = io.BytesIO()
    picture = PIL.Image.fromarray(pixels)
    if kind is PictureType.JPEG:
        picture.save(file, "JPEG", quality=QUALITY, subsampling=0)  # lines are one pixel wide, and their colours count
    else:
        picture.save(file, "WEBP", quality=QUALITY, method=2)
    return file.getvalue()


def _on_white(rgba: Pixels) -> Pixels:
    """Lay RGBA ``[H, W, 4]`` on white: RGB ``[H, W, 3]``."""
    drawn = rgba[:, :, :3].copy()
    alpha = rgba[:, :, 3]
    drawn[alpha == 0] = WHITE
    half = (alpha > 0) & (alpha < WHITE)
    if half.any():
        share = alpha[half][:, None].astype(np.float32) / WHITE
        drawn[half] = np.rint(drawn[half] * share + WHITE * (1 - share)).astype(np.uint8)
    return drawn
