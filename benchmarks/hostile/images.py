"""Builds image files that are small on the wire and large, or slow, to read. Tests import these too."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types of PNG."""
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
"""Markers of the kinds of JPEG."""
DQT, DHT, SOS, COMMENT, EOI = 0xDB, 0xC4, 0xDA, 0xFE, 0xD9
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of interlaced PNG: first column and row, and the steps of both."""


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int,
    height: int,
    colour: int = RGB,
    depth: int = 8,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """A PNG of zeros, a thousandth of its pixels.

    Args:
        width: in pixels.
        height: in pixels.
        colour: colour type.
        depth: bits of a sample.
        before: chunks before the pixels; a palette's are put there in any case.
        after: chunks after them.
        interlaced: whether it is sent in seven passes.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)) if colour == PALETTE else b""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    compressor = zlib.compressobj(9)
    pixels = bytearray()
    for x, y, step_x, step_y in passes:
        columns, rows = -(-(width - x) // step_x), -(-(height - y) // step_y)
        row = bytes(1 + -(-columns * CHANNELS[colour] * depth // 8))
        for start in range(0, rows, 64):
            pixels += compressor.compress(row * min(64, rows - start))
    pixels += compressor.flush()
    body = palette + before + chunk(b"IDAT", bytes(pixels)) + after
    return PNG_SIGNATURE + chunk(b"IHDR", header) + body + chunk(b"IEND")


def many_chunks(count: int, name: bytes = b"aaAa", size: int = 0) -> bytes:
    """A PNG with so many chunks that mean nothing."""
    return png(8, 8, before=chunk(name, bytes(size)) * count)


def compressed_texts(count: int, mebibytes: int = 1, name: bytes = b"zTXt") -> bytes:
    """A PNG with texts of so many MiB each, which are a thousandth of that in the file.

    Args:
        count: of texts.
        mebibytes: size of each when it is inflated.
        name: ``zTXt``, or ``iTXt``.
    """
    text = zlib.compress(b"a" * (mebibytes * 1024 * 1024 - 16), 9)
    between = b"\0\0" if name == b"zTXt" else b"\0\1\0\0\0"
    return png(8, 8, before=b"".join(chunk(name, b"k%d" % number + between + text) for number in range(count)))


def compressed_profile(mebibytes: int) -> bytes:
    """A PNG whose colour profile is so large when it is inflated."""
    return png(8, 8, before=chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(mebibytes << 20), 9)))


def jpeg(width: int = 64, height: int = 64, quality: int = 60, progressive: bool = False) -> bytes:
    """A plain JPEG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(file, "JPEG", quality=quality, progressive=progressive)
    return file.getvalue()


def many_markers(count: int, marker: bytes = b"\xff\xfe\x00\x02") -> bytes:
    """A JPEG with so many markers before the picture: empty comments unless told otherwise."""
    plain = jpeg()
    return plain[:2] + marker * count + plain[2:]


def fill_bytes(count: int) -> bytes:
    """A JPEG with a run of 0xFF between two markers, which is legal."""
    return many_markers(count, b"\xff")


def exif(entries: int, payload: int) -> bytes:
    """EXIF with so many entries, all of which point at the same so many bytes."""
    at = 8 + 2 + 12 * entries + 4
    listed = b"".join(struct.pack("<HHII", (1 + number) & 0xFFFF, 7, payload, at) for number in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + listed + struct.pack("<I", 0) + b"x" * payload


def jpeg_exif(entries: int, payload: int) -> bytes:
    """A JPEG with such EXIF, over as many segments as it needs."""
    plain, data = jpeg(), exif(entries, payload)
    parts = [data[start : start + 65527] for start in range(0, len(data), 65527)]
    return plain[:2] + b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts) + plain[2:]


def segment(marker: int, data: bytes) -> bytes:
    """A marker of a JPEG with its data."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def many_scans(width: int, height: int, count: int, kind: int = PROGRESSIVE, components: int = 3) -> bytes:
    """A JPEG with so many scans without data: the decoder goes over the whole picture for each.

    Args:
        width: in pixels.
        height: in pixels.
        count: of scans, beside those that give each component once.
        kind: marker of its frame.
        components: colours.
    """
    tables = segment(DQT, b"\0" + b"\x10" * 64)
    listed = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    frame = segment(kind, struct.pack(">BHHB", 8, height, width, components) + listed)
    one_code = bytes([1] + [0] * 15) + b"\0"
    codes = segment(DHT, b"\x00" + one_code) + segment(DHT, b"\x10" + one_code)
    if kind == PROGRESSIVE:
        of_all = b"".join(bytes([number + 1, 0]) for number in range(components))
        first = segment(SOS, bytes([components]) + of_all + b"\0\0\0")
        again = segment(SOS, b"\x01\x01\x00\x01\x3f\x00")
    else:
        first = b"".join(segment(SOS, bytes([1, number + 1, 0]) + b"\0\x3f\0") for number in range(components))
        again = segment(SOS, b"\x01\x01\x00\x00\x3f\x00")
    return b"\xff\xd8" + tables + frame + codes + first + again * count + b"\xff" + bytes([EOI])


def noise(width: int, height: int, quality: int = 30, progressive: bool = False) -> bytes:
    """A JPEG that is dear to decode and to compress again: noise, drawn at 1000 x 1000 and enlarged."""
    small = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(file, "JPEG", quality=quality, progressive=progressive)
    return file.getvalue()


def webp(width: int, height: int, frames: int = 1) -> bytes:
    """An animated WebP: a canvas of that size, and on it frames of 8 x 8 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", lossless=True)
    picture = file.getvalue()[12:]
    where = bytes(6) + (7).to_bytes(3, "little") * 2 + b"\1\0\0\0"
    body = b"WEBP" + _riff(b"VP8X", b"\2\0\0\0" + _minus_one(width) + _minus_one(height)) + _riff(b"ANIM", bytes(6))
    body += _riff(b"ANMF", where + picture) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def flat_webp(width: int, height: int) -> bytes:
    """A WebP of one colour without loss: a few hundred bytes at any size."""
    file = io.BytesIO()
    Image.new("RGBA", (width, height), (90, 120, 60, 200)).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def _minus_one(value: int) -> bytes:
    return (value - 1).to_bytes(3, "little")


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)
