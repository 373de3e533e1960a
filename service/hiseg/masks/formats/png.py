"""A person's crop as a 1-bit PNG."""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.result import CropMask

BILEVEL = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1]
"""Level 1: masks are long runs; more effort saves few bytes."""


def png_crop(mask: CropMask) -> bytes:
    """The crop as a black-and-white PNG of its own size; no bytes for a mask without a crop."""
    if mask.pixels.size == 0:
        return b""
    written, data = cv2.imencode(".png", mask.pixels.view(np.uint8) * np.uint8(255), BILEVEL)
    assert written
    return data.tobytes()
