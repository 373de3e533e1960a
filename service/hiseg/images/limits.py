"""How large an image may be, and of how many parts: checked before anything is decoded or copied.

Size isn't all that a file costs. Each part that it is made of takes time, however small it is, and a JPEG may go over
its pixels as often as its writer likes. Each such number has a limit here, several times what any real writer of images
needs; bytes of metadata need none, since they are jumped over.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from hiseg.core.errors import Reason, TooLarge, UndecodableImage

IMAGE_FIELD = "image"
"""What errors call the image, whichever way it came."""
MAX_SIDE = 1_000_000
"""Most pixels of a side, whatever the other one: Pillow takes memory and time for each row, with Python's lock held."""
MAX_PARTS = 4096
"""Most parts before the pixels: segments of a JPEG, chunks of a PNG or WebP. 5 MB of XMP in a JPEG are 80 segments."""
MAX_FRAMES = 4096
"""Most frames of an animated WebP, of which the first is used; those of a PNG are never looked at."""
MAX_STRAY_BYTES = 2**20
"""Most bytes between the segments of a JPEG, such as the padding that some cameras write."""
MAX_TABLE_BYTES = 2**16
"""Most bytes of tables before the pixels of a JPEG; the largest that it can use have about 2,700."""
MAX_SCANS = 100
"""Most scans of a JPEG; a progressive one has about ten."""
MAX_SCANNED_PIXELS = 2 * 10**9
"""Most pixels of a JPEG times its scans, which is what decoding it costs: 40 scans of 50 megapixels."""
MAX_PIXEL_CHUNKS = 2**16
"""Most IDAT chunks of a PNG; with the usual 8 KiB for each, 20 MB are 2,500."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of one image.

    Attributes:
        max_bytes: most bytes of an encoded image.
        max_pixels: most pixels of the decoded image, width times height.
    """

    max_bytes: int
    max_pixels: int


BROKEN = (OSError, SyntaxError, ValueError, EOFError)
"""What libraries raise of files that they can't read."""
UNLIMITED = ImageLimits(sys.maxsize, sys.maxsize)
"""For who reads files of their own."""


def check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    """Refuse an image of too many pixels.

    Raises:
        TooLarge: ``width * height`` is over the limit, or a side is over :data:`MAX_SIDE`.
    """
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} = {width * height} pixels; at most {limits.max_pixels} are taken",
            reason=Reason.TOO_MANY_PIXELS,
            field=IMAGE_FIELD,
            limit=limits.max_pixels,
            value=width * height,
        )
    if (side := max(width, height)) > MAX_SIDE:
        raise TooLarge(
            f"the image has {width} x {height} pixels; at most {MAX_SIDE} a side are taken",
            reason=Reason.SIDE_TOO_LONG,
            field=IMAGE_FIELD,
            limit=MAX_SIDE,
            value=side,
        )


def check_count(count: int, limit: int, kind: str, what: str) -> None:
    """Refuse an image that has too many of something.

    Args:
        count: how many there are, or how many were counted until it was too many.
        limit: how many are allowed.
        kind: name of the file type.
        what: what was counted, in the plural.

    Raises:
        UndecodableImage: ``count`` is over the limit.
    """
    if count > limit:
        raise UndecodableImage(
            f"the {kind} image has {count} {what} or more; at most {limit} are read",
            field=IMAGE_FIELD,
            limit=limit,
            value=count,
        )


def damaged(kind: str, reason: str) -> UndecodableImage:
    """The error of a file that cannot be read, with the reason in our own words."""
    return UndecodableImage(f"the {kind} image cannot be decoded: {reason}", field=IMAGE_FIELD)
