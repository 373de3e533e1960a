"""COCO run-length encoding of a whole image's mask, computed from the crop alone.

The format is that of pycocotools: column-major runs that start with background, each written as 5-bit groups
in printable characters, from the fourth run on as the difference to the run two before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from hiseg.core.result import CropMask

Counts = npt.NDArray[np.int64]
"""int64 ``[R]``, lengths of runs of pixels."""


class Rle(TypedDict):
    """COCO's compressed form: ``size`` is [height, width], ``counts`` the runs as printable characters."""

    size: list[int]
    counts: str


class UncompressedRle(TypedDict):
    """COCO's uncompressed form: ``size`` is [height, width], ``counts`` the lengths of the runs."""

    size: list[int]
    counts: list[int]


def coco_rle(mask: CropMask, width: int, height: int) -> Rle:
    """Encode a mask over the whole image, with the same bytes that pycocotools writes for the full-size mask.

    Args:
        mask: a crop inside the image.
        width: width of the image in pixels.
        height: height of the image in pixels.
    """
    return Rle(size=[height, width], counts=compress(run_lengths(mask, width, height)))


def coco_rle_uncompressed(mask: CropMask, width: int, height: int) -> UncompressedRle:
    """Encode a mask over the whole image as plain run lengths, which pycocotools' ``frPyObjects`` takes."""
    return UncompressedRle(size=[height, width], counts=run_lengths(mask, width, height).tolist())


def run_lengths(mask: CropMask, width: int, height: int) -> Counts:
    """Count the lengths of alternating runs of background and person, down the columns of the whole image.

    The first run is background and may be 0 long; the lengths, int64 ``[R]``, add up to ``width * height``.
    """
    rows, columns = mask.pixels.shape
    # One row of background below the crop ends the runs of its columns. A crop of full height gets none: there
    # a run that touches the bottom goes on at the top of the next column.
    stride = min(rows + 1, height)
    flat = np.zeros(1 + columns * stride + 1, dtype=np.uint8)
    _transpose()(mask.pixels.view(np.uint8), flat[1:-1].reshape(columns, stride)[:, :rows])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    positions = edges + edges // stride * (height - stride) + (mask.left * height + mask.top)
    bounds = np.concatenate(([0], positions, [width * height]))
    runs = bounds[1:] - bounds[:-1]
    return runs[:-1] if runs[-1] == 0 and runs.size > 1 else runs


@cache
def _transpose() -> Callable[[Any, Any], object]:
    """OpenCV's, which takes a sixth of the time of NumPy's, or that one where OpenCV isn't installed."""
    try:
        import cv2
    except ImportError:
        return lambda source, target: np.copyto(target, source.T)
    return cv2.transpose


def compress(runs: Counts) -> str:
    """Write run lengths, int64 ``[R]``, as the printable string of the COCO format."""
    values = runs.copy()
    values[3:] -= runs[1:-2]
    # Without its sign, -1 - v has as many bits as v.
    magnitude = np.maximum(values, ~values)
    groups = int(magnitude.max()).bit_length() // 5 + 1
    shifts = np.arange(0, 5 * groups, 5)[:, None]
    more = magnitude >= 16 << shifts
    characters = ((values >> shifts) & 0x1F | more * 0x20) + 48
    characters[1:] *= more[:-1]  # zero, and left out, where the value has ended
    return characters.T.astype(np.uint8).tobytes().translate(None, b"\0").decode("ascii")
