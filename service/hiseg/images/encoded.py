"""Bytes -> pixels: what may come in, how large, and how odd pictures become plain RGB.

Type, size and rotation are read from the header; nothing is decoded before they are allowed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.ExifTags
import PIL.Image
import simplejpeg

from hiseg.core.errors import TooLarge, UndecodableImage, UnsupportedImage
from hiseg.core.image import Image, Pixels

MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
FIELD = "image"
_SIXTEEN_BIT = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)
# EXIF 2.3, tag Orientation: what makes the stored rows and columns upright.
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}

# Our own limit, read from the header, replaces Pillow's, which would warn and let pass.
PIL.Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bytes of the encoded image, and pixels of the decoded one, that are still taken."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image that was let in by its header and waits to be decoded; a :class:`hiseg.core.image.ImageSource`.

    Attributes:
        data: the file.
        kind: Pillow's name of its type.
        mode: Pillow's name of its colour model.
        width: pixels, after rotation.
        height: pixels, after rotation.
        orientation: EXIF's, 1 to 8; 1 is upright.
        is_progressive: a JPEG that is drawn over and over, as often as its writer likes.
    """

    data: bytes
    kind: str
    mode: str
    width: int
    height: int
    orientation: int = 1
    is_progressive: bool = False

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def decode(self) -> Image:
        """The pixels.

        EXIF rotation is applied, transparency is laid on white, 16 bits become 8, grey, palette and CMYK become
        RGB, and of an animation the first frame is taken. Whatever changes what one sees is said in the notes.

        Raises:
            UndecodableImage: truncated or damaged.
        """
        try:
            image = self._plain_jpeg() or self._by_pillow()
        except _BROKEN as error:
            raise _undecodable(self.kind, error) from error
        if self.orientation in _UPRIGHT:
            return Image(np.ascontiguousarray(_UPRIGHT[self.orientation](image.pixels)), image.notes)
        return image

    def _plain_jpeg(self) -> Image | None:
        if self.kind != "JPEG" or self.mode not in ("RGB", "L"):
            return None
        try:
            # A third faster than Pillow, to the same pixels.
            return Image(simplejpeg.decode_jpeg(self.data, "RGB"))
        except ValueError:
            return None  # it is strict: Pillow may still read what it finds odd

    def _by_pillow(self) -> Image:
        with PIL.Image.open(io.BytesIO(self.data), formats=[self.kind]) as picture:
            return _to_image(picture)


def inspect(data: bytes, limits: ImageLimits) -> Encoded:
    """Read the header of a JPEG, PNG or WebP image: cheap enough for the event loop.

    A rotation that is written behind the pixels, as PNG allows, doesn't count.

    Raises:
        TooLarge: more bytes or pixels than allowed.
        UnsupportedImage: another type of file.
        UndecodableImage: empty, or with a damaged header.
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
            orientation = _orientation(picture)
            width, height = picture.size if orientation <= 4 else picture.size[::-1]
            return Encoded(data, kind, picture.mode, width, height, orientation, "progressive" in picture.info)
    except _BROKEN as error:
        raise _undecodable(kind, error) from error


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


def _undecodable(kind: str, error: Exception) -> UndecodableImage:
    return UndecodableImage(f"the {kind} image cannot be decoded: {error}", field=FIELD)


def _orientation(picture: PIL.Image.Image) -> int:
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1  # Pillow would decode the whole image to look for it behind the pixels
    found = picture.getexif().get(PIL.ExifTags.Base.Orientation, 1)
    return found if found in _UPRIGHT else 1


def _to_image(picture: PIL.Image.Image) -> Image:
    notes = []
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        picture.seek(0)
        notes.append(f"animated: the first of {frames} frames was used")
    flat: PIL.Image.Image = picture
    if flat.mode in _WITH_ALPHA or "transparency" in flat.info:
        notes.append("transparent: laid on white")
        rgba = flat.convert("RGBA")
        flat = PIL.Image.new("RGBA", rgba.size, "white")
        flat.alpha_composite(rgba)
    if flat.mode in _SIXTEEN_BIT:
        notes.append("16 bits a channel: reduced to 8")
        grey = (np.asarray(flat).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return Image(np.repeat(grey[:, :, None], 3, axis=2), tuple(notes))
    if flat.mode == "CMYK":
        notes.append("CMYK: converted to RGB without a colour profile")
    pixels: Pixels = np.asarray(flat if flat.mode == "RGB" else flat.convert("RGB"))
    return Image(pixels, tuple(notes))
