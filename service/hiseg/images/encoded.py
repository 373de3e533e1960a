"""Reads JPEG, PNG and WebP images, of every odd kind that these formats allow, as plain RGB.

Type, size and rotation are read from the header (:func:`inspect`); nothing is decoded before they are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image

from hiseg.core.errors import Reason, TooLarge
from hiseg.core.image import Image, Pixels, Size
from hiseg.core.stop import NEVER, Stop
from hiseg.images.colours.conversion import Conversion, conversion_bytes, find_conversion, is_quickly_found
from hiseg.images.decoders import jpeg, png, webp
from hiseg.images.headers.header import Header
from hiseg.images.headers.orientation import UPRIGHT
from hiseg.images.headers.read import read_header
from hiseg.images.limits import BROKEN, IMAGE_FIELD, ImageLimits, check_pixels, damaged

_DECODERS: dict[str, Callable[[bytes, Header, Size | None, Conversion, Stop], Image]] = {
    "JPEG": jpeg.decode,
    "PNG": lambda data, header, _, conversion, stop: png.decode(data, header, conversion, stop),
    "WEBP": lambda data, header, _, conversion, stop: webp.decode(data, header, conversion, stop),
}
_DECODING_BYTES: dict[str, Callable[[bytes, Header, Size | None], int]] = {
    "JPEG": jpeg.decoding_bytes,
    "PNG": lambda data, header, _: png.decoding_bytes(data, header),
    "WEBP": lambda data, header, _: webp.decoding_bytes(data, header),
}
# EXIF 2.3, tag Orientation: what makes the stored ``[H, W, 3]`` upright; 1 changes nothing.
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}

_TURNED_WEBP_NOTE = "turned upright by its EXIF orientation, which browsers don't apply to a WebP"

# Our own limit, read from the header, replaces Pillow's, which would warn and let pass.
PIL.Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image whose header was checked and which is not decoded yet; a :class:`hiseg.core.image.ImageSource`.

    Attributes:
        data: the file.
        header: what it says of the image, as stored.
    """

    data: bytes
    header: Header

    @property
    def width(self) -> int:
        """Width in pixels, after rotation."""
        return self.header.upright_size[1]

    @property
    def height(self) -> int:
        """Height in pixels, after rotation."""
        return self.header.upright_size[0]

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @property
    def decoding_bytes(self) -> int:
        """See :class:`hiseg.core.image.ImageSource`."""
        return self.decoding_bytes_for(None)

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        """See :class:`hiseg.core.image.ImageSource`."""
        stored = self._as_stored(at_least)
        needed = max(
            _DECODING_BYTES[self.header.kind](self.data, self.header, stored),
            conversion_bytes(self.data, self.header) + len(self.data),
        )
        if self.header.orientation not in _UPRIGHT:
            return needed
        height, width = jpeg.scaled(self.header, stored) if self.header.kind == "JPEG" else (self.height, self.width)
        each = 8 if self.header.is_transparent else 6
        return max(needed, each * height * width + 2**20)  # the image as it is stored, and upright

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        """Decode the file to RGB uint8 ``[H, W, 3]``.

        EXIF rotation is applied, colours are converted to sRGB, transparency is laid on white, 16 bits become 8, grey,
        palette and CMYK become RGB, and the first frame of an animation is taken. The notes of the image name each step
        that changes what one sees.

        Args:
            at_least: see :class:`hiseg.core.image.ImageSource`.
            stop: see there.

        Raises:
            UndecodableImage: the file is truncated or damaged.
            Exception: what :meth:`Stop.check` raises.
        """
        conversion = find_conversion(self.data, self.header)
        try:
            image = _DECODERS[self.header.kind](self.data, self.header, self._as_stored(at_least), conversion, stop)
        except BROKEN as error:
            raise damaged(self.header.kind, "it is truncated or damaged") from error
        if self.header.orientation not in _UPRIGHT:
            return image
        turn = _UPRIGHT[self.header.orientation]
        return Image(
            np.ascontiguousarray(turn(image.pixels)),
            image.notes + ((_TURNED_WEBP_NOTE,) if self.header.kind == "WEBP" else ()),
            None if image.alpha is None else np.ascontiguousarray(turn(image.alpha)),
        )

    @property
    def is_conversion_known(self) -> bool:
        """Whether nothing must be prepared to convert its colours, which may take too long for the event loop."""
        return is_quickly_found(self.data, self.header)

    def as_browsers_show(self) -> EncodedImage:
        """The image the way up in which a browser shows it, where boxes were drawn in one: a WebP as it is stored."""
        if self.header.kind != "WEBP":
            return self
        return EncodedImage(self.data, replace(self.header, orientation=UPRIGHT))

    def _as_stored(self, size: Size | None) -> Size | None:
        """Turn (height, width) of the upright image to those of the stored one."""
        return size[::-1] if size and self.header.is_on_its_side else size


def inspect(data: bytes, limits: ImageLimits) -> EncodedImage:
    """Read and check the header of a JPEG, PNG or WebP image, which is cheap enough for the event loop.

    For the steps that it takes see :func:`hiseg.images.headers.read.read_header`.

    Args:
        data: the file.
        limits: how many bytes and pixels are allowed.

    Raises:
        TooLarge: the image has more bytes or pixels than allowed.
        UnsupportedImage: the file is of another type.
        UndecodableImage: the file is empty, its header is damaged, or it has too many parts.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has {len(data)} bytes; at most {limits.max_bytes} are taken",
            reason=Reason.TOO_MANY_BYTES,
            field=IMAGE_FIELD,
            limit=limits.max_bytes,
            value=len(data),
        )
    header = read_header(data)
    check_pixels(header.width, header.height, limits)
    return EncodedImage(data, header)
