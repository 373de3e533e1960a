"""Finds which way up an image is, in EXIF or XMP, without reading anything else of them.

A general reader of EXIF goes through all that a file claims to have, up to 65,535 tags, and warns of each odd one.
"""

from __future__ import annotations

import re
import struct

MAX_EXIF_TAGS = 512
"""Tags of EXIF that are looked at; they are sorted by number, and few numbers are lower than the orientation's."""
MAX_EXIF_BYTES = 2**20
"""Bytes of EXIF that are looked at: the tags stand at the beginning, what they point at behind."""
MAX_XMP_BYTES = 2**18
"""Bytes of XMP that are searched for an orientation, which stands near the beginning."""
UPRIGHT = 1
"""EXIF's orientation of an image whose first row is at the top and whose first column is at the left."""
_ORIENTATION_TAG = 0x0112
_FORMATS = {3: "H", 4: "I", 8: "h", 9: "i"}
"""EXIF's types of whole numbers, as :mod:`struct` calls them."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_EXIF_MARK = b"Exif\x00\x00"


def find_orientation(exif: bytes, xmp: bytes) -> int:
    """Find the orientation, 1 to 8; 1 if there is none or an unknown one. XMP is asked if EXIF has none.

    Args:
        exif: TIFF data, with or without the mark ``Exif`` before it; empty if there is none.
        xmp: XML; empty if there is none.
    """
    found = _read_exif(exif) if exif else None
    if found is None and xmp:
        match = _XMP_ORIENTATION.search(xmp)
        found = int(match[1]) if match else None
    return found if found is not None and 1 <= found <= 8 else UPRIGHT


def _read_exif(exif: bytes) -> int | None:
    """Return the value of the tag, whether it is valid or not; None if it isn't there or isn't one whole number."""
    tiff = 0
    while tiff < 12 and exif.startswith(_EXIF_MARK, tiff):  # some writers put the mark twice
        tiff += len(_EXIF_MARK)
    if exif[tiff : tiff + 2] not in (b"II", b"MM"):
        return None
    order = "<" if exif[tiff : tiff + 2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, tiff + 4)
        (count,) = struct.unpack_from(f"{order}H", exif, tiff + directory)
        entry = struct.Struct(f"{order}HHI")
        first = tiff + directory + 2
        for at in range(first, first + 12 * min(count, MAX_EXIF_TAGS), 12):
            tag, form, values = entry.unpack_from(exif, at)
            if tag == _ORIENTATION_TAG and values == 1 and form in _FORMATS:
                return int(struct.unpack_from(order + _FORMATS[form], exif, at + 8)[0])
    except struct.error:  # it ends too early
        return None
    return None
