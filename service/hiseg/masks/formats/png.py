"""PNG files of whole images, and the crop of one mask as a 1-bit PNG or as bare bits."""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.image import Pixels
from hiseg.core.result import CropMask

COMPRESSION_LEVEL = 1
"""zlib's level, 0 to 9: masks and label maps are long runs, and more effort saves few bytes."""


def encode_png(pixels: Pixels) -> bytes:
    """Encode pixels as a PNG file.

    Args:
        pixels: uint8, grey ``[H, W]``, RGB ``[H, W, 3]`` or RGBA ``[H, W, 4]``; neither side is 0.
    """
    if pixels.ndim == 3:
        order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = np.asarray(cv2.cvtColor(pixels, order), dtype=np.uint8)
    return _encode(pixels)


def png_crop(mask: CropMask) -> bytes:
    """Encode the crop of a mask as a 1-bit PNG of the crop's size: black is background, white is the person.

    A crop without pixels gives no bytes, since PNG has no empty image.
    """
    if mask.pixels.size == 0:
        return b""
    return _encode(mask.pixels.view(np.uint8) * np.uint8(255), cv2.IMWRITE_PNG_BILEVEL, 1)


def packed_bits(mask: CropMask) -> bytes:
    """Pack the crop of a mask into bits, for programs that want nothing to inflate and nothing to parse.

    Rows come from the top and pixels from the left, eight to a byte with the first in its highest bit. Each row starts
    with a new byte, so a crop of ``[h, w]`` takes ``h * ceil(w / 8)`` bytes.
    """
    return np.packbits(mask.pixels, axis=1).tobytes()


def _encode(pixels: Pixels, *parameters: int) -> bytes:
    """Encode uint8 ``[H, W]``, BGR ``[H, W, 3]`` or BGRA ``[H, W, 4]``.

    Raises:
        RuntimeError: OpenCV could not write the file, which no image of legal shape causes.
    """
    written, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION_LEVEL, *parameters])
    if not written:
        raise RuntimeError(f"OpenCV cannot write a PNG of {pixels.dtype} {pixels.shape}")
    return data.tobytes()
