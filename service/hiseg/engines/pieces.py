"""Divides a batch into pieces that run one after the other, so that what a run takes doesn't grow with the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hiseg.core.image import Floats

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PieceLimits:
    """How large a piece may be.

    Attributes:
        images: number of images.
        rois: number of masks that are computed; None: a piece holds all masks of its images.
    """

    images: int
    rois: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a batch: whole images, all of their RoIs, and the masks of a range of those.

    Attributes:
        images: the images.
        rows: rows of the batch's RoIs that lie in those images.
        masks: the part of ``rows`` whose masks are computed.
        has_foreground: whether the foreground of the images is computed; it is in one of the pieces with them.
    """

    images: slice
    rows: Rows
    masks: slice
    has_foreground: bool

    def rois(self, rois: Floats) -> Floats:
        """The piece's rows of ``rois``, float32 ``[N, 5]``, with the indices that its images have in the piece."""
        own = rois[self.rows]
        own[:, 0] -= self.images.start
        return own


def divide(images: int, rois: Floats, limits: PieceLimits) -> Iterator[Piece]:
    """Divide a batch into pieces; only an image with more RoIs than ``limits.rois`` is in several of them.

    Args:
        images: number of images in the batch.
        rois: float32 ``[N, 5]``, in any order; the first column is the index of the image.
        limits: how large a piece may be.

    Raises:
        ValueError: a RoI belongs to no image of the batch.
    """
    index = rois[:, 0].astype(np.intp)
    if len(index) and not 0 <= index.min() <= index.max() < images:
        raise ValueError("a RoI belongs to no image of its batch")
    rows: Rows = np.argsort(index, kind="stable")
    ends: Any = np.cumsum(np.bincount(index, minlength=images))  # of each image's rows
    most = max(1, len(rois) if limits.rois is None else limits.rois)
    first = start = 0
    for image in range(images):
        last = image + 1 == images
        if last or image + 1 - first == limits.images or ends[image + 1] - start > most:
            own = rows[start : ends[image]]
            parts = max(1, -(-len(own) // most))
            for part in range(parts):
                masks = slice(len(own) * part // parts, len(own) * (part + 1) // parts)
                yield Piece(slice(first, image + 1), own, masks, part == 0)
            first, start = image + 1, ends[image]
