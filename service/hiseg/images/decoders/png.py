"""Decodes a PNG out of its size, colours and pixels alone: Pillow would unpack texts and profiles, maybe bombs."""

from __future__ import annotations

import io
import zlib

import numpy as np
import PIL.Image

from hiseg.core.image import Image, Size
from hiseg.core.stop import Stop
from hiseg.images.colours.conversion import Conversion
from hiseg.images.decoders.bands import BAND_BYTES, TRANSPARENT_NOTE, Read, animation_note, to_rgb
from hiseg.images.decoders.sixteen_bits import decode_sixteen_bits
from hiseg.images.headers.header import Header
from hiseg.images.headers.png import CHUNK, DEPTH_AT, KIND, SIGNATURE, is_chunk_intact
from hiseg.images.limits import BROKEN, MAX_PIXEL_CHUNKS, check_count, damaged

_PILLOW_BYTES = {"1": 1, "L": 1, "P": 1}
"""Bytes of a pixel in Pillow's own images; all others have 4."""
NO_END_NOTE = "end missing: all pixels were there"
WRONG_CHECKSUM_NOTE = "wrong checksum of packed pixels: by the one of the pixels themselves they are whole"
_PIECE_BYTES = 2**16
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers of a pixel, for each type of colour."""
_ADAM_7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced image, the column and row of its first pixel, and the steps to the next."""
_MOST_SHOWN = 8
_LIGHT_BYTES = 2**23
"""Bytes that a band takes while its linear light is computed, by chunks that describe its colours."""
_BROKEN_PIXELS = "it is damaged: some of its pixels are missing or can't be read"
_END = b"\0\0\0\0IEND\xaeB`\x82"


def decoding_bytes(data: bytes, header: Header) -> int:
    """Most bytes that :func:`decode` takes at once, its result included."""
    if header.bits == 16:
        stored = 2 if header.mode == "L" else 6 if header.mode == "RGB" and not header.is_transparent else 8
        each = max(2 * stored, stored + 3 + header.is_transparent)  # OpenCV copies all pixels once it has them
    else:
        each = _PILLOW_BYTES.get(header.mode, 4) + 3 + header.is_transparent
    # Two rows are unpacked at a time, of up to four numbers of 16 bits a pixel: of an image of one row that is much.
    # Of an image of one column it is the pointers to rows, which Pillow has.
    rows = 2 * 8 * header.width + 8 * header.height
    light = _LIGHT_BYTES if {b"cICP", b"gAMA"} & header.colours.keys() else 0
    return each * header.width * header.height + rows + light + BAND_BYTES + len(data)


def decode(data: bytes, header: Header, conversion: Conversion, stop: Stop) -> Image:
    """Decode a PNG as it is stored, not rotated; of an animated one the image before its frames.

    Args:
        data: the file.
        header: its header.
        conversion: what makes its colours sRGB.
        stop: looked at between the steps.

    Raises:
        UndecodableImage: it has too many parts, or is truncated or damaged.
        Exception: what :meth:`Stop.check` raises.
    """
    end, is_intact = _check_pixels(data, header.pixels_at)
    if not is_intact and not _unpack(data, header, end)[1]:
        raise damaged(KIND, "it is damaged: a checksum of its pixels is wrong")
    parts = [data[begin:end] for begin, end in header.kept]
    pixels: bytes | memoryview = memoryview(data)[header.pixels_at : end]
    if not is_intact:
        pixels = _with_checksum(pixels)
    stream = b"".join((SIGNATURE, *parts, pixels, _END if end <= len(data) else b""))
    try:
        if header.bits == 16:
            image = decode_sixteen_bits(stream, header, _transparent_grey(data, header), conversion, stop)
        else:
            with PIL.Image.open(io.BytesIO(stream), formats=[KIND]) as opened:
                opened.load()
                _check_rows(opened, data, header, end)
                if header.mode == "L" and header.is_transparent:
                    opened.info["transparency"] = _transparent_grey(data, header)  # Pillow has it as it is stored
                image = to_rgb(opened.size[::-1], _reader(opened, header, conversion), stop)
    except BROKEN as error:
        raise damaged(KIND, _BROKEN_PIXELS) from error
    notes = animation_note(header.frames) + (() if image.alpha is None else (TRANSPARENT_NOTE,))
    notes += image.notes + conversion.notes + _ignored_note(data, header.pixels_at)
    if not is_intact:
        notes += (WRONG_CHECKSUM_NOTE,)
    if data.find(b"IEND", end) < 0:
        notes += (NO_END_NOTE,)
    return Image(image.pixels, notes, image.alpha)


def _reader(loaded: PIL.Image.Image, header: Header, conversion: Conversion) -> Read:
    """Gives bands of an image that Pillow has decoded, of any mode that PNG has with 8 bits."""

    def read(rows: slice, columns: slice) -> tuple[PIL.Image.Image, PIL.Image.Image | None]:
        band = loaded.crop((columns.start, rows.start, columns.stop, rows.stop))
        opacity = None
        if header.is_transparent:
            band = band.convert("RGBA")
            opacity = band.getchannel("A")
            if not conversion.changes:
                return band, opacity
        return conversion.apply(band.convert("L" if header.is_grey else "RGB")), opacity

    return read


def _transparent_grey(data: bytes, header: Header) -> int | None:
    """The number of the grey that is transparent, if one is: of 16 bits, or of 8 if it has fewer."""
    if header.mode not in ("1", "L") or b"tRNS" not in header.colours:
        return None
    at, (ihdr, _) = header.colours[b"tRNS"][0], header.kept[0]
    depth = data[ihdr + CHUNK.size + DEPTH_AT]
    stored = int.from_bytes(data[at : at + 2], "big") & (1 << depth) - 1
    return stored if depth > 8 else stored * 255 // ((1 << depth) - 1)


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


def _check_rows(loaded: PIL.Image.Image, data: bytes, header: Header, end: int) -> None:
    """Refuse an image whose packed pixels end before its last row: Pillow leaves such rows black without a word.

    Raises:
        UndecodableImage: rows are missing.
    """
    at = header.kept[0][0] + CHUNK.size + DEPTH_AT
    depth, colour, _, _, is_interlaced = data[at : at + 5]
    last_row = loaded.crop((0, loaded.height - 1, loaded.width, loaded.height))
    if not is_interlaced and np.asarray(last_row).any():
        return  # so that no other has to be unpacked once more
    bits = depth * _SAMPLES[colour]
    needed = sum(
        down * (1 + -(-across * bits // 8))
        for across, down in _passes(header.width, header.height, bool(is_interlaced))
        if across
    )
    if _unpack(data, header, end)[0] < needed:
        raise damaged(KIND, _BROKEN_PIXELS)


def _passes(width: int, height: int, is_interlaced: bool) -> list[Size]:
    """Width and height of each of the images that an interlaced one is made of; else of the only one."""
    if not is_interlaced:
        return [(width, height)]
    return [(-(-(width - left) // right), -(-(height - top) // down)) for left, top, right, down in _ADAM_7]


def _unpack(data: bytes, header: Header, end: int) -> tuple[int, bool]:
    """Unpack pixels; tells their bytes, and whether they come to their end, where there is a checksum of them alone."""
    count, most = 0, 8 * header.width * header.height + 16 * header.height + 2**16
    unpacker, at = zlib.decompressobj(), header.pixels_at
    try:
        while at < end and not unpacker.eof:
            length, _ = CHUNK.unpack_from(data, at)
            packed: bytes | memoryview = memoryview(data)[at + CHUNK.size : at + CHUNK.size + length]
            while packed and count < most and not unpacker.eof:
                count += len(unpacker.decompress(packed, _PIECE_BYTES))
                packed = unpacker.unconsumed_tail
            at += CHUNK.size + length + 4
    except zlib.error:
        return count, False
    return count, unpacker.eof


def _with_checksum(chunks: bytes | memoryview) -> bytes:
    """One chunk of all that is in these, with a right checksum: decoders look at no other."""
    parts, at = [b"IDAT"], 0
    while at < len(chunks):
        length, _ = CHUNK.unpack_from(chunks, at)
        parts.append(bytes(chunks[at + CHUNK.size : at + CHUNK.size + length]))
        at += CHUNK.size + length + 4
    body = b"".join(parts)
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


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
