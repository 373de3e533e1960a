"""A person's crop as a 1-bit PNG."""

from __future__ import annotations

import io

import PIL.Image

from service.domain import CropMask


def png_crop(mask: CropMask) -> bytes:
    """The crop as a black-and-white PNG of its own size; no bytes for a mask without a crop."""
    if mask.pixels.size == 0:
        return b""
    file = io.BytesIO()
    # Level 1: masks are long runs; more effort saves few bytes.
    PIL.Image.fromarray(mask.pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
