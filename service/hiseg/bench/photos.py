"""JPEGs to send, one for each size, made before the run so that making them costs no time during it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps

from hiseg.bench.mix import Size
from hiseg.client.errors import InvalidRequest
from hiseg.client.images import to_upright_rgb
from hiseg.core.command_errors import BadOption

JPEG_QUALITY = 85
GRAIN = 5.0
"""Standard deviation of a synthetic image's noise, in grey levels: a pixel then takes 0.2 bytes, as in a photo."""


def make_photos(sizes: Iterable[Size], photo: Path | None, random: np.random.Generator) -> dict[Size, bytes]:
    """Make a JPEG for each size: the photo cropped and resized to it, or a synthetic one.

    Raises:
        BadOption: the photo can't be read.
    """
    if photo is None:
        return {size: _jpeg(_synthetic(*size, random)) for size in sizes}
    try:
        original = PIL.Image.fromarray(to_upright_rgb(photo))
    except (OSError, InvalidRequest) as error:
        raise BadOption("--photo", str(photo), "can't be read as an image") from error
    return {size: _jpeg(PIL.ImageOps.fit(original, size)) for size in sizes}


def _synthetic(width: int, height: int, random: np.random.Generator) -> PIL.Image.Image:
    """Draw gradients, blobs from large to small, and grain: as much work for a JPEG decoder as a photo is."""
    pixels = np.full((height, width, 3), 128, np.float32)
    for cells in (2, 5, 12, 40):
        blobs = random.normal(0, 60 / np.sqrt(cells), (cells, cells, 3)).astype(np.float32)
        pixels += cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC)
    pixels += random.standard_normal((height, width, 1), np.float32) * GRAIN
    return PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _jpeg(image: PIL.Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
