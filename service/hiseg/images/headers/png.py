"""Reads the header of a PNG: the chunks up to its first pixels, from one length to the next.

Texts and colour profiles, which are packed, are not unpacked.
"""

from __future__ import annotations

import struct

from hiseg.images.headers.header import Header, Span, cut
from hiseg.images.headers.orientation import MAX_EXIF_BYTES, find_orientation
from hiseg.images.limits import MAX_PARTS, check_count, damaged

KIND = "PNG"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK = struct.Struct(">I4s")
"""Length and name of a chunk; its data and a checksum of four bytes follow."""
_MODES = {
    (1, 0): "1",
    (2, 0): "L",
    (4, 0): "L",
    (8, 0): "L",
    (16, 0): "I;16",
    (8, 2): "RGB",
    (16, 2): "RGB",
    (1, 3): "P",
    (2, 3): "P",
    (4, 3): "P",
    (8, 3): "P",
    (8, 4): "LA",
    (16, 4): "RGBA",
    (8, 6): "RGBA",
    (16, 6): "RGBA",
}
"""Pillow's mode for each depth in bits and type of colour."""
_MAX_LENGTH = {b"PLTE": 3 * 256, b"tRNS": 256}
_MIN_TRANSPARENCY = {"1": 2, "L": 2, "I;16": 2, "RGB": 6}
_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"tRNS")
_MOST_FRAMES = 0x80000000


def read_png(data: bytes) -> Header:
    """Read the header of a PNG. A rotation that is written behind the pixels, as PNG allows, is ignored.

    Raises:
        UndecodableImage: it is damaged or has too many parts.
    """
    chunks: dict[bytes, Span] = {}
    at = len(SIGNATURE)
    for part in range(MAX_PARTS + 2):
        check_count(part, MAX_PARTS, KIND, "chunks before its pixels")
        if len(data) < at + CHUNK.size:
            raise damaged(KIND, "it ends before its pixels")
        length, name = CHUNK.unpack_from(data, at)
        begin, end = at + CHUNK.size, at + CHUNK.size + length
        if name == b"IDAT":
            break
        if not name.isalpha() or name == b"IEND" or end + 4 > len(data):
            raise damaged(KIND, "it has no pixels, or the length of a chunk is wrong")
        if length > _MAX_LENGTH.get(name, length):
            raise damaged(KIND, f"its {name.decode()} chunk has {length} bytes")
        chunks.setdefault(name, (begin, end))
        at = end + 4
    mode, width, height = _read_size(data, chunks.get(b"IHDR", (0, 0)))
    return Header(
        KIND,
        mode,
        width,
        height,
        pixels_at=at,
        kept=tuple(_whole(chunks[name]) for name in (b"IHDR", b"PLTE", b"tRNS") if name in chunks),
        orientation=find_orientation(cut(data, chunks.get(b"eXIf"), MAX_EXIF_BYTES)),
        frames=_count_frames(data, chunks),
        profile=tuple(chunks[name] for name in (b"iCCP",) if name in chunks),
        colours={name: chunks[name] for name in _COLOURS if name in chunks},
        is_transparent=mode in ("LA", "RGBA") or _has_transparency(data, chunks, mode),
    )


def _whole(body: Span) -> Span:
    """Where a chunk begins and ends with its length, name and checksum."""
    return body[0] - CHUNK.size, body[1] + 4


def _read_size(data: bytes, body: Span) -> tuple[str, int, int]:
    """Read IHDR: Pillow's mode, width, height."""
    if body[1] - body[0] != 13:
        raise damaged(KIND, "it has pixels before their size")
    width, height, depth, colour, _, filters = struct.unpack_from(">IIBBBB", data, body[0])
    if (depth, colour) not in _MODES or filters:
        raise damaged(KIND, f"it has colours of type {colour} with {depth} bits and filters of type {filters}")
    if not width or not height:
        raise damaged(KIND, f"its size is {width} x {height}")
    return _MODES[depth, colour], width, height


def _has_transparency(data: bytes, chunks: dict[bytes, Span], mode: str) -> bool:
    """Whether a colour, or a palette's entry, is said to be transparent."""
    if b"tRNS" not in chunks:
        return False
    begin, end = chunks[b"tRNS"]
    if end - begin < _MIN_TRANSPARENCY.get(mode, 0):
        raise damaged(KIND, "its transparent colour is cut off")
    return True


def _count_frames(data: bytes, chunks: dict[bytes, Span]) -> int:
    """How many frames an animation has, with the image that is shown where animations aren't, if that is none of them.

    The frames themselves are not looked at.
    """
    begin, end = chunks.get(b"acTL", (0, 0))
    frames = int.from_bytes(data[begin : begin + 4], "big") if end - begin >= 8 else 0
    if not 1 <= frames <= _MOST_FRAMES:
        return 1
    return frames + (b"fcTL" not in chunks)
