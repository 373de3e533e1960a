"""A person's crop as bits, for programs: nothing to inflate, nothing to parse."""

from __future__ import annotations

import numpy as np

from hiseg.core.result import CropMask


def packed_bits(mask: CropMask) -> bytes:
    """The crop's rows from the top, each from the left: eight pixels a byte, the first in its highest bit, and zeros to
    the end of a row's last byte."""
    return np.packbits(mask.pixels, axis=1).tobytes()
