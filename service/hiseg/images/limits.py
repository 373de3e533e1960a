"""How large an image may be: checked of encoded images and raw frames alike, before anything is decoded or copied."""

from __future__ import annotations

from dataclasses import dataclass

from hiseg.core.errors import TooLarge

IMAGE_FIELD = "image"
"""What errors call the image, whichever way it came."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of one image.

    Attributes:
        max_bytes: most bytes of an encoded image.
        max_pixels: most pixels of the decoded image, width times height.
    """

    max_bytes: int
    max_pixels: int


def check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    """Refuse an image of too many pixels.

    Raises:
        TooLarge: ``width * height`` is over the limit.
    """
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} = {width * height} pixels; at most {limits.max_pixels} are taken",
            field=IMAGE_FIELD,
            limit=limits.max_pixels,
            value=width * height,
        )
