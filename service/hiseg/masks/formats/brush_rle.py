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
"""Widths that the length of a run, less one, is written in; two bits before it say in which."""
MAX_RUN = 1 << 16
"""Longest run of one record."""
RECORD_BITS = 1 + 2 + 16 + WORD_BITS
"""Bits of the longest record: whether it is a run, the width of its length, the length, and the value."""
Numbers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]


def brush_rle(mask: CropMask, width: int, height: int) -> list[int]:
    """Encode a mask over the whole image.

    Args:
        mask: a crop inside the image.
        width: width of the image in pixels.
        height: height of the image in pixels.

    Returns:
        The bytes of the stream, as numbers 0..255, which is how Label Studio has them in JSON.
    """
    # Rows of the image are columns of its transpose, whose runs are known.
    transposed = CropMask(mask.top, mask.left, np.ascontiguousarray(mask.pixels.T))
    runs = run_lengths(transposed, height, width) * CHANNELS
    pieces = -(-runs // MAX_RUN)
    lengths = np.full(pieces.sum(), MAX_RUN, dtype=np.int64)
    lasts = np.cumsum(pieces)[pieces > 0] - 1
    lengths[lasts] = (runs - (pieces - 1) * MAX_RUN)[pieces > 0]
    values = np.repeat(np.arange(runs.size) % 2 * 255, pieces)
    stream = np.concatenate((_header(width * height * CHANNELS), _records(lengths, values)))
    return [int(byte) for byte in np.packbits(stream)]


def _header(count: int) -> Bits:
    """The bits before the first record, uint8 ``[n]`` of 0 and 1, for ``count`` words."""
    fields = [(count, 32), (WORD_BITS - 1, 5), *((int(bits) - 1, 4) for bits in LENGTH_BITS)]
    text = "".join(f"{number:0{bits}b}" for number, bits in fields)
    return np.frombuffer(text.encode(), np.uint8) - ord("0")


def _records(lengths: Numbers, values: Numbers) -> Bits:
    """The bits of all records, uint8 ``[n]`` of 0 and 1, for runs of ``lengths`` ``[R]`` and ``values`` ``[R]``."""
    kinds = np.searchsorted(1 << LENGTH_BITS[:-1], lengths - 1, side="right")
    bits = LENGTH_BITS[kinds]
    records = (((0b100 | kinds) << bits | lengths - 1) << WORD_BITS) | values
    sizes = 1 + 2 + bits + WORD_BITS
    places = np.arange(RECORD_BITS)
    aligned = records << (RECORD_BITS - sizes)
    bits_of_records = (aligned[:, None] >> places[::-1]) & 1
    return np.asarray(bits_of_records[places < sizes[:, None]], np.uint8)
