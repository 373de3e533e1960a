"""Finds which way up an image is, in EXIF as browsers read it, without reading anything else of it.

One rule for all files: the first tag Orientation of the first directory counts that has one number of 16 bits from 1 to
8. XMP isn't asked, nor what stands behind the pixels. A general reader of EXIF goes through all that a file claims to
have, up to 65,535 tags, takes numbers of other types too, and warns of each odd one.
"""

from __future__ import annotations

import struct

MAX_EXIF_TAGS = 512
"""Tags of EXIF that are looked at; they are sorted by number, and few numbers are lower than the orientation's."""
MAX_EXIF_BYTES = 2**16
"""Bytes of EXIF that are looked at: the tags stand at the beginning, what they point at behind."""
UPRIGHT = 1
"""EXIF's orientation of an image whose first row is at the top and whose first column is at the left."""
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""The first four bytes of TIFF data, and the order of bytes that they tell."""


def find_orientation(tiff: bytes) -> int:
    """Find the orientation, 1 to 8; 1 if there is none or no valid one.

    Args:
        tiff: EXIF as TIFF data, without any mark before it; empty if there is none.
    """
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    entry = struct.Struct(f"{order}HHIHH")
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        first = directory + 2
        for at in range(first, first + entry.size * min(count, MAX_EXIF_TAGS), entry.size):
            tag, form, numbers, value, _ = entry.unpack_from(tiff, at)
            if (tag, form, numbers) == (_ORIENTATION_TAG, _SHORT, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:  # it ends too early
        pass
    return UPRIGHT
