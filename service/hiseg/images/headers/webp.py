"""Reads the header of a WebP: its chunks, from one length to the next, and the first bytes of the pixels.

Of an animation the first frame is found, so that it alone is decoded: a decoder of animations holds two canvases.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hiseg.images.headers.header import Header, Span, cut
from hiseg.images.headers.orientation import MAX_EXIF_BYTES, find_orientation
from hiseg.images.limits import MAX_FRAMES, MAX_PARTS, check_count, damaged

KIND = "WEBP"
CHUNK = struct.Struct("<4sI")
"""Name and length of a chunk; its data follow, and a byte of padding if their number is odd."""
_PIXELS = (b"VP8 ", b"VP8L")
_ANIMATED, _EXIF, _TRANSPARENT, _PROFILE = 0x02, 0x08, 0x10, 0x20
_EXIF_MARK = b"Exif\x00\x00"
"""What some writers put before EXIF, as it is in a JPEG."""
_FRAME_HEADER_BYTES = 16
_METADATA = (b"EXIF", b"XMP ")
"""Chunks behind the pixels, without which these are whole."""


@dataclass(slots=True)
class _Chunks:
    """The chunks of a file that matter, without their names and lengths; of several of one kind the first."""

    extended: Span | None = None
    alpha: Span | None = None
    pixels: Span | None = None
    lossless: bool = False
    exif: Span | None = None
    icc: Span | None = None
    first_frame: Span | None = None
    frames: int = 0
    is_cut_off: bool = False


def read_webp(data: bytes) -> Header:
    """Read the header of a WebP.

    Raises:
        UndecodableImage: it is damaged or has too many parts.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    chunks = _read_chunks(data, 12, min(end, len(data)))
    flags, canvas = _read_extended(data, chunks.extended)
    animated, frame_at, frame_size = bool(flags & _ANIMATED), (0, 0), canvas
    image = chunks
    if animated:
        if end > len(data):
            raise damaged(KIND, "it is cut off")
        if chunks.first_frame is None:
            raise damaged(KIND, "it is said to be animated and has no frame")
        frame_at, frame_size = _read_frame(data, chunks.first_frame)
        if frame_at[0] + frame_size[0] > canvas[0] or frame_at[1] + frame_size[1] > canvas[1]:
            raise damaged(KIND, "its first frame lies outside")
        begin, end = chunks.first_frame
        image = _read_chunks(data, begin + _FRAME_HEADER_BYTES, end)
    if image.pixels is None:
        raise damaged(KIND, "it has no pixels")
    if image.lossless:
        image.alpha = None  # it has its own
    size, transparent = _read_pixels(data, image.pixels, image.lossless)
    if frame_size not in ((0, 0), size):
        raise damaged(KIND, "its pixels have another size than it says")
    if chunks.extended:
        transparent = bool(flags & _TRANSPARENT)
    width, height = canvas if chunks.extended else size
    exif = cut(data, chunks.exif, MAX_EXIF_BYTES) if flags & _EXIF else b""
    return Header(
        KIND,
        "RGBA" if transparent else "RGB",
        width,
        height,
        kept=tuple(_whole(body) for body in (image.alpha, image.pixels) if body),
        orientation=find_orientation(exif.removeprefix(_EXIF_MARK)),
        frames=max(1, chunks.frames) if animated else 1,
        is_transparent=transparent,
        is_lossless=image.lossless,
        profile=(chunks.icc,) if chunks.icc and flags & _PROFILE else (),
        is_cut_off=chunks.is_cut_off or end > len(data) + 1,
        frame_at=frame_at,
        frame_size=size,
    )


def _whole(body: Span) -> Span:
    """Where a chunk begins and ends with its name and length."""
    return body[0] - CHUNK.size, body[1]


def _read_chunks(data: bytes, at: int, end: int) -> _Chunks:
    """Walk the chunks between two offsets."""
    found = _Chunks()
    for part in range(MAX_PARTS + MAX_FRAMES + 2):
        if at + CHUNK.size > end:
            break
        check_count(part - found.frames, MAX_PARTS, KIND, "chunks")
        name, length = CHUNK.unpack_from(data, at)
        body = at + CHUNK.size, at + CHUNK.size + length
        if body[1] > end:
            if not found.pixels or name not in _METADATA:
                raise damaged(KIND, "it is cut off, or the length of a chunk is wrong")
            found.is_cut_off = True
            break
        at = body[1] + (length & 1)
        if name == b"ANMF":
            found.frames += 1
            check_count(found.frames, MAX_FRAMES, KIND, "frames")
            found.first_frame = found.first_frame or body
        elif name in _PIXELS and not found.pixels:
            found.pixels, found.lossless = body, name == b"VP8L"
        elif name == b"ALPH" and not found.alpha and not found.pixels:
            found.alpha = body
        elif name == b"VP8X":
            found.extended = found.extended or body
        elif name == b"EXIF":
            found.exif = found.exif or body
        elif name == b"ICCP":
            found.icc = found.icc or body
    return found


def _read_extended(data: bytes, body: Span | None) -> tuple[int, tuple[int, int]]:
    """Read the flags and the size of the canvas, (width, height); (0, 0) if the file is of the simple kind."""
    if body is None:
        return 0, (0, 0)
    begin, end = body
    if end - begin < 10:
        raise damaged(KIND, "its size is cut off")
    return data[begin], (_read_3_bytes(data, begin + 4) + 1, _read_3_bytes(data, begin + 7) + 1)


def _read_frame(data: bytes, body: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read a frame's (left, top) on the canvas and its (width, height)."""
    begin, end = body
    if end - begin < _FRAME_HEADER_BYTES:
        raise damaged(KIND, "its first frame is cut off")
    left, top, width, height = (_read_3_bytes(data, begin + at) for at in (0, 3, 6, 9))
    return (2 * left, 2 * top), (width + 1, height + 1)


def _read_pixels(data: bytes, body: Span, lossless: bool) -> tuple[tuple[int, int], bool]:
    """Read the (width, height) in the first bytes of the pixels, and whether any may be transparent."""
    begin, end = body
    if lossless and end - begin >= 5 and data[begin] == 0x2F:
        bits = int.from_bytes(data[begin + 1 : begin + 5], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), bool(bits >> 28 & 1)
    if not lossless and end - begin >= 10 and not data[begin] & 1 and data[begin + 3 : begin + 6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, begin + 6)
        if width & 0x3FFF and height & 0x3FFF:
            return (width & 0x3FFF, height & 0x3FFF), False
    raise damaged(KIND, "its pixels don't begin as they should")


def _read_3_bytes(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
