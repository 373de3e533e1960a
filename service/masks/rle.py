"""COCO run-length encoding of a whole image's mask, computed from the crop alone.

The format is that of pycocotools: column-major runs that start with background, each written as 5-bit groups
in printable characters, from the fourth run on as the difference to the run two before.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt

from service.domain import CropMask

Counts = npt.NDArray[np.int64]


class Rle(TypedDict):
    """COCO's form: ``size`` is [height, width]."""

    size: list[int]
    counts: str


def coco_rle(mask: CropMask, width: int, height: int) -> Rle:
    """Exactly what pycocotools writes for the full-size mask."""
    return Rle(size=[height, width], counts=compress(run_lengths(mask, width, height)))


def run_lengths(mask: CropMask, width: int, height: int) -> Counts:
    """Lengths of alternating background and person runs down the columns of the whole image, int64 ``[R]``.

    The first run is background and may be 0 long; the lengths add up to ``width * height``.
    """
    rows, columns = mask.pixels.shape
    padded = np.zeros((columns, rows + 2), dtype=np.int8)
    padded[:, 1:-1] = mask.pixels.T
    column, edge = np.nonzero(np.diff(padded, axis=1))
    positions = (mask.left + column) * height + mask.top + edge
    # A run that touches the bottom goes on in a run that starts at the top of the next column.
    starts, ends = positions[::2], positions[1::2]
    joined = np.flatnonzero(ends[:-1] == starts[1:])
    starts, ends = np.delete(starts, joined + 1), np.delete(ends, joined)
    edges = np.stack([starts, ends], axis=1).ravel()
    runs = np.diff(edges, prepend=0, append=width * height)
    return runs[:-1] if runs[-1] == 0 and runs.size > 1 else runs


def compress(runs: Counts) -> str:
    """Run lengths -> the printable string of the COCO format."""
    values = runs.copy()
    values[3:] -= runs[1:-2]
    digits = []
    unfinished = np.ones(values.shape, dtype=np.bool_)
    while unfinished.any():
        low = values & 0x1F
        values = values >> 5
        more = unfinished & ~(((values == 0) & (low & 0x10 == 0)) | ((values == -1) & (low & 0x10 != 0)))
        digits.append(np.where(unfinished, (low | (more * 0x20)) + 48, 0).astype(np.uint8))
        unfinished = more
    characters = np.stack(digits, axis=1)
    return characters[characters > 0].tobytes().decode("ascii")
