"""Label Studio's brush masks: run lengths of a whole RGBA image, computed from the crop alone.

The format is thi.ng's rle-pack: a stream of bits with a header, then one record a run. All four channels of a pixel
are alike: 0 for background, 255 for the person; readers look at the last one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hiseg.core.result import CropMask
from hiseg.masks.formats.rle import run_lengths

CHANNELS = 4
WORD_BITS = 8
LENGTH_BITS = np.array([4, 8, 12, 16])
"""A run's length, less one, is written in one of these widths; which, two bits before it say."""
LONGEST = 1 << 16
RECORD_BITS = 1 + 2 + 16 + WORD_BITS
"""Of the longest record: whether it is a run, the width of its length, the length, the value."""
Numbers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]


def brush_rle(mask: CropMask, width: int, height: int) -> list[int]:
    """The mask over the whole image, as bytes 0..255."""
    # Rows of the image are columns of its transpose, whose runs are known.
    turned = CropMask(mask.top, mask.left, np.ascontiguousarray(mask.pixels.T))
    runs = run_lengths(turned, height, width) * CHANNELS
    pieces = -(-runs // LONGEST)
    lengths = np.full(pieces.sum(), LONGEST, dtype=np.int64)
    lasts = np.cumsum(pieces)[pieces > 0] - 1
    lengths[lasts] = (runs - (pieces - 1) * LONGEST)[pieces > 0]
    values = np.repeat(np.arange(runs.size) % 2 * 255, pieces)
    stream = np.concatenate((_header(width * height * CHANNELS), _records(lengths, values)))
    return [int(byte) for byte in np.packbits(stream)]


def _header(count: int) -> Bits:
    fields = [(count, 32), (WORD_BITS - 1, 5), *((int(bits) - 1, 4) for bits in LENGTH_BITS)]
    text = "".join(f"{number:0{bits}b}" for number, bits in fields)
    return np.frombuffer(text.encode(), np.uint8) - ord("0")


def _records(lengths: Numbers, values: Numbers) -> Bits:
    kinds = np.searchsorted(1 << LENGTH_BITS[:-1], lengths - 1, side="right")
    bits = LENGTH_BITS[kinds]
    records = (((0b100 | kinds) << bits | lengths - 1) << WORD_BITS) | values
    sizes = 1 + 2 + bits + WORD_BITS
    places = np.arange(RECORD_BITS)
    aligned = records << (RECORD_BITS - sizes)
    spelled = (aligned[:, None] >> places[::-1]) & 1
    return np.asarray(spelled[places < sizes[:, None]], np.uint8)
