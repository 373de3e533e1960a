"""Reads the header of a PNG: the chunks up to its first pixels, from one length to the next.

Texts and colour profiles, which are packed, are not unpacked.
"""

from __future__ import annotations

import struct
import zlib

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
    (16, 0): "L",
    (8, 2): "RGB",
    (16, 2): "RGB",
    (1, 3): "P",
    (2, 3): "P",
    (4, 3): "P",
    (8, 3): "P",
    (8, 4): "LA",
    (16, 4): "LA",
    (8, 6): "RGBA",
    (16, 6): "RGBA",
}
"""Pillow's mode for each type of colour with its depth in bits; that of 16 bits is the one of 8."""
_CRITICAL = (b"IHDR", b"PLTE")
"""What no image can be read without; of each there is one."""
_MAX_PALETTE_BYTES = 3 * 256
_MAX_CHECKED_BYTES = 2**17
"""Chunks of more bytes are believed without a look at their checksum, which would take too long for the event loop."""
_TRANSPARENCY_BYTES = {"1": (2, 2), "L": (2, 2), "RGB": (6, 6), "P": (1, 256)}
"""Least and most bytes of tRNS, for the modes that may have it."""
_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"tRNS")
_KEPT = (*_CRITICAL, b"tRNS")
_READ = frozenset((*_CRITICAL, *_COLOURS, b"iCCP", b"eXIf", b"acTL", b"fcTL"))
"""Of each of these the first is read, if its checksum is right."""
_MOST_FRAMES = 0x80000000
DEPTH_AT = 8
"""Offset of the depth in bits in IHDR."""
_MOST_COLOURS = 3


def read_png(data: bytes) -> Header:
    """Read the header of a PNG. A rotation that is written behind the pixels, as PNG allows, is ignored.

    Raises:
        UndecodableImage: it is damaged or has too many parts.
    """
    chunks: dict[bytes, Span] = {}
    seen: set[bytes] = set()
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
        if name == b"CgBI":
            raise damaged(KIND, "it is in Apple's own format for apps (CgBI), which browsers don't read either")
        if (name == b"IHDR") != (part == 0):
            raise damaged(KIND, "its size doesn't stand at its beginning")
        if name[:1].isupper() and name not in _CRITICAL:
            raise damaged(KIND, f"it can't be read without its {name.decode()} chunk, which is of an unknown kind")
        if name in _CRITICAL and name in seen:
            raise damaged(KIND, f"it has more than one {name.decode()} chunk")
        if name in _READ and name not in seen:
            seen.add(name)
            if length > _MAX_CHECKED_BYTES or is_chunk_intact(data, at, end + 4):
                chunks[name] = begin, end
            elif name in _CRITICAL:
                raise damaged(KIND, f"it is damaged: the checksum of its {name.decode()} chunk is wrong")
        at = end + 4
    mode, width, height = _read_size(data, chunks.get(b"IHDR", (0, 0)))
    _check_palette(mode, chunks)
    return Header(
        KIND,
        mode,
        width,
        height,
        pixels_at=at,
        kept=tuple(_whole(chunks[name]) for name in _KEPT if name in chunks),
        orientation=find_orientation(cut(data, chunks.get(b"eXIf"), MAX_EXIF_BYTES)),
        bits=16 if data[chunks[b"IHDR"][0] + DEPTH_AT] == 16 else 8,
        significant_bits=max(cut(data, chunks.get(b"sBIT"), _MOST_COLOURS), default=0),
        frames=_count_frames(data, chunks),
        profile=tuple(chunks[name] for name in (b"iCCP",) if name in chunks),
        colours={name: chunks[name] for name in _COLOURS if name in chunks},
        is_transparent=mode in ("LA", "RGBA") or b"tRNS" in chunks,
    )


def _whole(body: Span) -> Span:
    """Where a chunk begins and ends with its length, name and checksum."""
    return body[0] - CHUNK.size, body[1] + 4


def _read_size(data: bytes, body: Span) -> tuple[str, int, int]:
    """Read IHDR: Pillow's mode, width, height."""
    if body[1] - body[0] != 13:
        raise damaged(KIND, "it has pixels before their size")
    width, height, depth, colour, *methods = struct.unpack_from(">IIBBBBB", data, body[0])
    if (depth, colour) not in _MODES:
        raise damaged(KIND, f"it has colours of type {colour} with {depth} bits")
    if methods[0] or methods[1] or methods[2] > 1:
        raise damaged(KIND, f"its methods {methods} of packing, filtering and interlacing are unknown")
    if not width or not height:
        raise damaged(KIND, f"its size is {width} x {height}")
    return _MODES[depth, colour], width, height


def is_chunk_intact(data: bytes, begin: int, end: int) -> bool:
    """Whether the checksum of a chunk, at the end of it, is right."""
    return zlib.crc32(memoryview(data)[begin + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _check_palette(mode: str, chunks: dict[bytes, Span]) -> None:
    """Leave out a palette that isn't needed, and transparency of a wrong size, as browsers do.

    Raises:
        UndecodableImage: the palette is needed, and it isn't there or has a wrong size.
    """
    if mode != "P":
        chunks.pop(b"PLTE", None)
    else:
        begin, end = chunks.get(b"PLTE", (0, 0))
        if not 0 < end - begin <= _MAX_PALETTE_BYTES or (end - begin) % 3:
            raise damaged(KIND, f"its palette has {end - begin} bytes")
    least, most = _TRANSPARENCY_BYTES.get(mode, (1, 0))
    begin, end = chunks.get(b"tRNS", (0, 0))
    if not least <= end - begin <= most:
        chunks.pop(b"tRNS", None)


def _count_frames(data: bytes, chunks: dict[bytes, Span]) -> int:
    """How many frames an animation has, with the image that is shown where animations aren't, if that is none of them.

    The frames themselves are not looked at.
    """
    begin, end = chunks.get(b"acTL", (0, 0))
    frames = int.from_bytes(data[begin : begin + 4], "big") if end - begin >= 8 else 0
    if not 1 <= frames <= _MOST_FRAMES:
        return 1
    return frames + (b"fcTL" not in chunks)
