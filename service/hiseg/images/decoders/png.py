"""Decodes a PNG out of its size, colours and pixels alone: Pillow would unpack texts and profiles, maybe bombs."""

from __future__ import annotations

import io

import PIL.Image

from hiseg.core.image import Image
from hiseg.images.decoders.bands import BAND_BYTES, animation_note, to_rgb
from hiseg.images.headers.header import Header
from hiseg.images.headers.png import CHUNK, KIND, SIGNATURE
from hiseg.images.limits import MAX_PIXEL_CHUNKS, check_count

_PILLOW_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
"""Bytes of a pixel in Pillow's own images; all others have 4."""
_END = b"\0\0\0\0IEND\xaeB`\x82"


def decoding_bytes(data: bytes, header: Header) -> int:
    """Most bytes that :func:`decode` takes at once, its result included."""
    each = _PILLOW_BYTES.get(header.mode, 4) + 3
    # Two rows are unpacked at a time, of up to four numbers of 16 bits a pixel: of an image of one row that is much.
    # Of an image of one column it is the pointers to rows, which Pillow has.
    return each * header.width * header.height + 2 * 8 * header.width + 8 * header.height + BAND_BYTES + len(data)


def decode(data: bytes, header: Header) -> Image:
    """Decode a PNG as it is stored, not rotated; of an animated one the image before its frames.

    Raises:
        UndecodableImage: it has too many parts.
        Exception: what Pillow raises if it is truncated or damaged.
    """
    end = _end_of_pixels(data, header.pixels_at)
    parts = [data[begin:end] for begin, end in header.kept]
    pixels = memoryview(data)[header.pixels_at : end]
    stream = b"".join((SIGNATURE, *parts, pixels, _END if end <= len(data) else b""))
    with PIL.Image.open(io.BytesIO(stream), formats=[KIND]) as opened:
        opened.load()
        image = to_rgb(opened, header.is_transparent)
    return Image(image.pixels, animation_note(header.frames) + image.notes)


def _end_of_pixels(data: bytes, at: int) -> int:
    """Offset of the end of the last of the IDAT chunks that begin at ``at``; beyond the file's if that is cut off."""
    for part in range(MAX_PIXEL_CHUNKS + 2):
        check_count(part, MAX_PIXEL_CHUNKS, KIND, "chunks of pixels")
        if at + CHUNK.size > len(data):
            break
        length, name = CHUNK.unpack_from(data, at)
        if name != b"IDAT":
            break
        at += CHUNK.size + length + 4
    return at
