"""Bytes -> pixels: what may come in, how large, and how odd pictures become plain RGB.

Type and size are read from the header; nothing is decoded before both are allowed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageOps

from service.domain import Image, Pixels
from service.errors import TooLarge, UndecodableImage, UnsupportedImage

MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
FIELD = "image"
_SIXTEEN_BIT = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}

# Our own limit, read from the header, replaces Pillow's, which would warn and let pass.
PIL.Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bytes of the encoded image, and pixels of the decoded one, that are still taken."""

    max_bytes: int
    max_pixels: int


def decode(data: bytes, limits: ImageLimits) -> Image:
    """Decode a JPEG, PNG or WebP image.

    EXIF rotation is applied, transparency is laid on white, 16 bits become 8, grey, palette and CMYK become
    RGB, and of an animation the first frame is taken. Whatever changes what one sees is said in the notes.

    Raises:
        TooLarge: more bytes or pixels than allowed.
        UnsupportedImage: another type of file.
        UndecodableImage: empty, truncated or damaged.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has {len(data)} bytes; at most {limits.max_bytes} are taken",
            field=FIELD,
            limit=limits.max_bytes,
            value=len(data),
        )
    if not data:
        raise UndecodableImage("the image is empty", field=FIELD, value=0)
    kind = sniff(data)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[kind]) as picture:
            check_pixels(picture.width, picture.height, limits)
            return _to_image(picture)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UndecodableImage(f"the {kind} image cannot be decoded: {error}", field=FIELD) from error


def sniff(data: bytes) -> str:
    """Pillow's name of the image type, by its first bytes.

    Raises:
        UnsupportedImage: none of the allowed types.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise UnsupportedImage(
        f"the image is none of {', '.join(MEDIA_TYPES)}",
        field=FIELD,
        limit=list(MEDIA_TYPES),
        value=data[:8].hex(" "),
    )


def check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    """Raise :class:`TooLarge` if ``width * height`` is over the limit."""
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} = {width * height} pixels; at most {limits.max_pixels} are taken",
            field=FIELD,
            limit=limits.max_pixels,
            value=width * height,
        )


def _to_image(picture: PIL.Image.Image) -> Image:
    notes = []
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        picture.seek(0)
        notes.append(f"animated: the first of {frames} frames was used")
    # In place, here and below: at 12 megapixels each copy that Pillow makes is 48 MB.
    PIL.ImageOps.exif_transpose(picture, in_place=True)
    upright: PIL.Image.Image = picture
    if upright.mode in _WITH_ALPHA or "transparency" in upright.info:
        notes.append("transparent: laid on white")
        rgba = upright.convert("RGBA")
        upright = PIL.Image.new("RGBA", rgba.size, "white")
        upright.alpha_composite(rgba)
    if upright.mode in _SIXTEEN_BIT:
        notes.append("16 bits a channel: reduced to 8")
        grey = (np.asarray(upright).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return Image(np.repeat(grey[:, :, None], 3, axis=2), tuple(notes))
    if upright.mode == "CMYK":
        notes.append("CMYK: converted to RGB without a colour profile")
    pixels: Pixels = np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    return Image(pixels, tuple(notes))
