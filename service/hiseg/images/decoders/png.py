"""Decodes a PNG out of its size, colours and pixels alone: Pillow would unpack texts and profiles, maybe bombs."""

from __future__ import annotations

import io
import zlib

import PIL.Image

from hiseg.core.image import Image
from hiseg.images.decoders.bands import BAND_BYTES, animation_note, to_rgb
from hiseg.images.headers.header import Header
from hiseg.images.headers.png import CHUNK, KIND, SIGNATURE, is_chunk_intact
from hiseg.images.limits import BROKEN, MAX_PIXEL_CHUNKS, check_count, damaged

_PILLOW_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
"""Bytes of a pixel in Pillow's own images; all others have 4."""
NO_END_NOTE = "end missing: all pixels were there"
WRONG_CHECKSUM_NOTE = "wrong checksum of packed pixels: by the one of the pixels themselves they are whole"
_PIECE_BYTES = 2**16
_MOST_SHOWN = 8
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
        UndecodableImage: it has too many parts, or is truncated or damaged.
    """
    end, is_intact = _check_pixels(data, header.pixels_at)
    if not is_intact and not _is_unpacked_well(data, header, end):
        raise damaged(KIND, "it is damaged: a checksum of its pixels is wrong")
    parts = [data[begin:end] for begin, end in header.kept]
    pixels = memoryview(data)[header.pixels_at : end]
    stream = b"".join((SIGNATURE, *parts, pixels, _END if end <= len(data) else b""))
    try:
        with PIL.Image.open(io.BytesIO(stream), formats=[KIND]) as opened:
            opened.load()
            image = to_rgb(opened, header.is_transparent)
    except BROKEN as error:
        raise damaged(KIND, "it is damaged: some of its pixels are missing or can't be read") from error
    notes = animation_note(header.frames) + image.notes + _ignored_note(data, header.pixels_at)
    if not is_intact:
        notes += (WRONG_CHECKSUM_NOTE,)
    if data.find(b"IEND", end) < 0:
        notes += (NO_END_NOTE,)
    return Image(image.pixels, notes)


def _check_pixels(data: bytes, at: int) -> tuple[int, bool]:
    """Find the end of the last of the IDAT chunks that begin at ``at``, and whether the checksums of all are right.

    Returns:
        The offset, which is beyond the file's end if that chunk is cut off, and whether no checksum is wrong; one
        that isn't there isn't.
    """
    is_intact = True
    for part in range(MAX_PIXEL_CHUNKS + 2):
        check_count(part, MAX_PIXEL_CHUNKS, KIND, "chunks of pixels")
        if at + CHUNK.size > len(data):
            break
        length, name = CHUNK.unpack_from(data, at)
        if name != b"IDAT":
            break
        end = at + CHUNK.size + length + 4
        is_intact = is_intact and (end > len(data) or is_chunk_intact(data, at, end))
        at = end
    return at, is_intact


def _is_unpacked_well(data: bytes, header: Header, end: int) -> bool:
    """Whether pixels with a wrong checksum are whole all the same: packed pixels have another one of their own."""
    most = 8 * header.width * header.height + 16 * header.height + 2**16
    unpacker, at = zlib.decompressobj(), header.pixels_at
    try:
        while at < end and not unpacker.eof:
            length, _ = CHUNK.unpack_from(data, at)
            packed: bytes | memoryview = memoryview(data)[at + CHUNK.size : at + CHUNK.size + length]
            while packed and most > 0 and not unpacker.eof:
                most -= len(unpacker.decompress(packed, _PIECE_BYTES))
                packed = unpacker.unconsumed_tail
            at += CHUNK.size + length + 4
    except zlib.error:
        return False
    return unpacker.eof


def _ignored_note(data: bytes, end: int) -> tuple[str, ...]:
    """What the caller should know of chunks before the pixels whose checksums are wrong; browsers ignore those too."""
    wrong, at = [], len(SIGNATURE)
    while at < end:
        length, name = CHUNK.unpack_from(data, at)
        behind = at + CHUNK.size + length + 4
        if not is_chunk_intact(data, at, behind):
            wrong.append(name.decode())
        at = behind
    shown = ", ".join(list(dict.fromkeys(wrong))[:_MOST_SHOWN])
    return (f"wrong checksum: ignored of the metadata: {shown}",) if wrong else ()
