"""Prepares an image for a model: it is decoded, no larger than that takes, and put on its canvas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

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


def size_to_decode(*placements: Placement) -> Size:
    """The smallest (height, width) at which an image may be decoded for all of its canvases."""
    height, width = (max(placement.content[side] for placement in placements) for side in (0, 1))
    return CANVAS_OVERSAMPLING * height, CANVAS_OVERSAMPLING * width


def prepare(
    image: ImageSource,
    placement: Placement,
    boxes: Sequence[Box],
    stop: Stop = NEVER,
    following: Placement | None = None,
) -> Prepared:
    """Decode an image onto its canvas, uint8 ``[3, H, W]``, and turn its boxes into RoIs, float32 ``[N, 4]``.

    Args:
        image: the image.
        placement: where it lies on its canvas.
        boxes: in pixels of the image.
        stop: looked at between the steps.
        following: where it lies on the canvas of the stage that follows, for which it isn't decoded again; None: none
            does.

    Raises:
        UndecodableImage: the image is damaged.
        Exception: what :meth:`Stop.check` raises.
    """
    with native_work():
        decoded = image.decode(size_to_decode(placement, following or placement), stop)
        stop.check()
        other = following if following != placement else None
        next_image = to_canvas(decoded.pixels, other) if other else None
        return Prepared(to_canvas(decoded.pixels, placement), placement.rois(boxes), decoded.notes, next_image)


@dataclass(frozen=True, slots=True)
class Preparing:
    """How the input of a stage is made, and what that takes.

    Attributes:
        make: makes it of the boxes, in image pixels, that get masks.
        nbytes: the most bytes that this takes at any moment.
        canvas_bytes: bytes of all canvases with the image on them, of this stage and of others.
        is_quick: whether it takes no time.
    """

    make: Callable[[Sequence[Box]], Prepared]
    nbytes: int
    canvas_bytes: int
    is_quick: bool = False


def preparing_of(image: ImageSource, stop: Stop, placement: Placement, following: Placement | None = None) -> Preparing:
    """How the first stage, or the only one, has its input made; see :func:`prepare`."""
    placements = {placement, following or placement}
    return Preparing(
        partial(prepare, image, placement, stop=stop, following=following),
        image.decoding_bytes_for(size_to_decode(*placements)),
        sum(3 * math.prod(each.canvas) for each in placements),
    )


def preparing_again(first: Prepared, placement: Placement, following: Placement) -> Preparing:
    """How the stage that follows has its input made, where the image is on its canvas already.

    Args:
        first: input of the stage before.
        placement: where the image lies on the canvas of that one.
        following: where it lies on its own.
    """

    def make(boxes: Sequence[Box]) -> Prepared:
        canvas = first.image if first.next_image is None else first.next_image
        return Prepared(canvas, following.rois(boxes), first.notes)

    canvases = sum(3 * math.prod(each.canvas) for each in {placement, following})
    return Preparing(make, 0, canvases, is_quick=True)
