"""Reads JPEG, PNG and WebP images, of every odd kind that these formats allow, as plain RGB.

Type, size and rotation are read from the header (:func:`inspect`); nothing is decoded before they are allowed.
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
from hiseg.core.image import Image, Pixels, Size
from hiseg.images.limits import IMAGE_FIELD, ImageLimits, check_pixels

MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""Media types that are read, and Pillow's names of them."""
_SIXTEEN_BIT = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)
# EXIF 2.3, tag Orientation: what makes the stored ``[H, W, 3]`` upright; 1 and unknown values change nothing.
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
class EncodedImage:
    """An image whose header was checked and which is not decoded yet; a :class:`hiseg.core.image.ImageSource`.

    Attributes:
        data: the file.
        kind: Pillow's name of the file type: ``JPEG``, ``PNG`` or ``WEBP``.
        mode: Pillow's name of the colour model, such as ``RGB`` or ``LA``.
        width: width in pixels, after rotation.
        height: height in pixels, after rotation.
        orientation: EXIF's orientation, 1 to 8; 1 is upright.
        is_progressive: whether it is a JPEG that is refined in passes, of which its writer may have made many.
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
        """Size of the file in bytes."""
        return len(self.data)

    @property
    def decoding_bytes(self) -> int:
        """See :class:`hiseg.core.image.ImageSource`."""
        return _decoding_bytes(self)

    def decode(self, at_least: Size | None = None) -> Image:
        """Decode the file to RGB uint8 ``[H, W, 3]``.

        EXIF rotation is applied, transparency is laid on white, 16 bits become 8, grey, palette and CMYK become
        RGB, and the first frame of an animation is taken. The notes of the image name each step that changes what
        one sees.

        Raises:
            UndecodableImage: the file is truncated or damaged.
        """
        try:
            image = self._decode_plain_jpeg() or self._decode_with_pillow()
        except _BROKEN as error:
            raise _undecodable(self.kind, error) from error
        if self.orientation in _UPRIGHT:
            return Image(np.ascontiguousarray(_UPRIGHT[self.orientation](image.pixels)), image.notes)
        return image

    def _decode_plain_jpeg(self) -> Image | None:
        """Decode an RGB or grey JPEG that libjpeg-turbo has no doubts about; None for everything else."""
        if self.kind != "JPEG" or self.mode not in ("RGB", "L"):
            return None
        try:
            # A third faster than Pillow, to the same pixels.
            return Image(simplejpeg.decode_jpeg(self.data, "RGB"))
        except ValueError:
            return None  # it is strict: Pillow may still read what it finds odd

    def _decode_with_pillow(self) -> Image:
        """Decode what Pillow can open."""
        with PIL.Image.open(io.BytesIO(self.data), formats=[self.kind]) as opened:
            return _to_image(opened)


def inspect(data: bytes, limits: ImageLimits) -> EncodedImage:
    """Read and check the header of a JPEG, PNG or WebP image, which is cheap enough for the event loop.

    A rotation that is written behind the pixels, as PNG allows, is ignored.

    Args:
        data: the file.
        limits: how many bytes and pixels are allowed.

    Raises:
        TooLarge: the image has more bytes or pixels than allowed.
        UnsupportedImage: the file is of another type.
        UndecodableImage: the file is empty or its header is damaged.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has {len(data)} bytes; at most {limits.max_bytes} are taken",
            field=IMAGE_FIELD,
            limit=limits.max_bytes,
            value=len(data),
        )
    if not data:
        raise UndecodableImage("the image is empty", field=IMAGE_FIELD, value=0)
    kind = sniff(data)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[kind]) as opened:
            check_pixels(opened.width, opened.height, limits)
            orientation = _orientation(opened)
            width, height = opened.size if orientation <= 4 else opened.size[::-1]
            return EncodedImage(data, kind, opened.mode, width, height, orientation, "progressive" in opened.info)
    except _BROKEN as error:
        raise _undecodable(kind, error) from error


def sniff(data: bytes) -> str:
    """Tell the type of a file from its first bytes.

    Returns:
        Pillow's name of the type.

    Raises:
        UnsupportedImage: the file is of none of the allowed types.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise UnsupportedImage(
        f"the image is none of {', '.join(MEDIA_TYPES)}",
        field=IMAGE_FIELD,
        limit=list(MEDIA_TYPES),
        value=data[:8].hex(" "),
    )


def _undecodable(kind: str, error: Exception) -> UndecodableImage:
    """The error of a damaged file, with the decoder's reason."""
    return UndecodableImage(f"the {kind} image cannot be decoded: {error}", field=IMAGE_FIELD)


def _orientation(opened: PIL.Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if there is none or an unknown one."""
    if opened.format == "PNG" and "exif" not in opened.info:
        return 1  # Pillow would decode the whole image to look for it behind the pixels
    found = opened.getexif().get(PIL.ExifTags.Base.Orientation, 1)
    return found if found in _UPRIGHT else 1


def _to_image(opened: PIL.Image.Image) -> Image:
    """Decode an opened file to RGB uint8 ``[H, W, 3]``, as stored: not rotated yet."""
    notes = []
    frames = getattr(opened, "n_frames", 1)
    if frames > 1:
        opened.seek(0)
        notes.append(f"animated: the first of {frames} frames was used")
    flat: PIL.Image.Image = opened
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


def _decoding_bytes(image: EncodedImage) -> int:
    """Most bytes that decoding takes at once, for each pixel of each kind, and a little for what isn't pixels."""
    each = {"L": 4, "RGB": 10, "1": 8, "P": 12, "CMYK": 14}.get(image.mode, 26)
    if image.kind == "JPEG":
        # libjpeg keeps all coefficients of an image that comes in passes, 16 bits each.
        each = (3 if image.mode in ("RGB", "L") else 11) + 8
    if image.kind == "WEBP":
        each += 12
    if image.orientation > 1:
        each += 3
    return each * image.width * image.height + len(image.data) + 2**20
