"""Prepares an image for a model: it is decoded, no larger than that takes, and put on its canvas."""

from __future__ import annotations

from collections.abc import Sequence

from hiseg.batching.job import Prepared
from hiseg.core.box import Box
from hiseg.core.canvas import Placement, to_canvas
from hiseg.core.forks import native_work
from hiseg.core.image import ImageSource, Size
from hiseg.core.stop import NEVER, Stop
from hiseg.images.encoded import EncodedImage

MAX_INLINE_IMAGE_PIXELS = 2**19
"""A JPEG or raw frame of at most so many pixels, and bytes, is decoded on the event loop: it takes about two
milliseconds."""
CANVAS_OVERSAMPLING = 3
"""How many times as large as on its canvas an image is decoded at least, in each direction, before it is reduced.

With so many, masks differ from those of the image in full size by as much as with noise of two grey levels in 256.
"""


def decodes_quickly(image: ImageSource) -> bool:
    """Whether decoding on the event loop is faster than in a thread and back, and too short a pause to be noticed."""
    if isinstance(image, EncodedImage):
        header = image.header
        # PNG and WebP take up to ten times as long, and JPEGs with passes or odd codes as long as their writers like.
        quick = header.kind == "JPEG" and header.is_plain and not header.in_passes
        # A file of more bytes than pixels has more in it than the image.
        is_small = max(image.nbytes, image.width * image.height) <= MAX_INLINE_IMAGE_PIXELS
        return quick and is_small and image.is_conversion_known
    return max(image.nbytes // 3, image.width * image.height) <= MAX_INLINE_IMAGE_PIXELS


def size_to_decode(placement: Placement) -> Size:
    """The smallest (height, width) at which an image may be decoded for its canvas."""
    height, width = placement.content
    return CANVAS_OVERSAMPLING * height, CANVAS_OVERSAMPLING * width


def prepare(image: ImageSource, placement: Placement, boxes: Sequence[Box], stop: Stop = NEVER) -> Prepared:
    """Decode an image onto its canvas, uint8 ``[3, H, W]``, and turn its boxes into RoIs, float32 ``[N, 4]``.

    Raises:
        UndecodableImage: the image is damaged.
        Exception: what :meth:`Stop.check` raises.
    """
    with native_work():
        decoded = image.decode(size_to_decode(placement), stop)
        stop.check()
        return Prepared(to_canvas(decoded.pixels, placement), placement.rois(boxes), decoded.notes)
