"""Decodes COCO's run-length encoding with NumPy alone: the reverse of :mod:`hiseg.masks.formats.rle`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hiseg.core.image import BoolMask
from hiseg.core.result import CropMask

Counts = npt.NDArray[np.int64]
MAX_CHARACTERS = 12
"""Most characters of a number, which are sixty bits: no image has longer runs."""


def decode(counts: str, height: int, width: int) -> BoolMask:
    """Decode a mask: bool ``[height, width]``.

    Raises:
        ValueError: ``counts`` is no encoding of a mask of this size.
    """
    return _columns(_bounds(counts, height, width), height, 0, width)


def decode_crop(counts: str, height: int, width: int) -> CropMask:
    """Decode the smallest crop that holds the whole mask.

    Raises:
        ValueError: ``counts`` is no encoding of a mask of this size.
    """
    bounds = _bounds(counts, height, width)
    if not np.diff(bounds)[1::2].any():
        return CropMask.empty()
    last = bounds[-1] if bounds.size % 2 else bounds[-2]  # where the last run of the person ends
    left, right = int(bounds[1] // height), int((last - 1) // height + 1)
    columns = _columns(bounds, height, left, right)
    rows = np.flatnonzero(columns.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return CropMask(left, top, np.ascontiguousarray(columns[top:bottom]))


def _bounds(counts: str, height: int, width: int) -> Counts:
    """Return where runs begin, down the columns, and where the last one ends: int64 ``[R + 1]``."""
    runs = run_lengths(counts)
    bounds = np.concatenate(([0], np.cumsum(runs)))
    if (runs < 0).any() or bounds[-1] != height * width:
        raise ValueError(f"the counts are not those of a mask of {width} x {height} pixels")
    return np.asarray(bounds, dtype=np.int64)


def _columns(bounds: Counts, height: int, left: int, right: int) -> BoolMask:
    """Return the mask's columns from ``left`` up to, not including, ``right``: bool ``[height, right - left]``."""
    inside = np.clip(bounds, left * height, right * height)
    person = np.arange(bounds.size - 1) % 2 == 1
    flat = np.repeat(person, np.diff(inside))
    return np.ascontiguousarray(flat.reshape(right - left, height).T)


def run_lengths(counts: str) -> Counts:
    """Decode the lengths of alternating background and person runs down the columns: int64 ``[R]``.

    Raises:
        ValueError: these are not COCO's characters.
    """
    characters = np.frombuffer(counts.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if characters.size == 0 or characters.min() < 0 or characters.max() > 63 or characters[-1] & 0x20:
        raise ValueError("the counts are not in COCO's compressed form")
    ends = np.flatnonzero(characters & 0x20 == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > MAX_CHARACTERS:
        raise ValueError("the counts are not in COCO's compressed form: a number is too long")
    positions = np.arange(characters.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((characters & 0x1F) << 5 * positions, starts)
    negative = characters[ends] & 0x10 != 0
    values[negative] -= np.int64(1) << 5 * lengths[negative]
    # From the fourth on they are differences to the run two before.
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return np.asarray(values, dtype=np.int64)
