"""Makes image files for tests: honest ones of every kind, with Pillow, and odd ones by hand."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
import PIL.PngImagePlugin

from hiseg.images.limits import ImageLimits

LIMITS = ImageLimits(max_bytes=20 * 2**20, max_pixels=50_000_000)
RANDOM = np.random.default_rng(0)


def picture(mode: str, width: int = 40, height: int = 30) -> PIL.Image.Image:
    """A picture of soft colours in one of Pillow's modes."""
    coarse = RANDOM.integers(0, 256, (max(2, height // 8), max(2, width // 8), 4), dtype=np.uint8)
    pixels = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    if mode == "I;16":
        return PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode == "P":
        return PIL.Image.fromarray(pixels[..., :3]).quantize(40, PIL.Image.Quantize.FASTOCTREE)
    if mode == "PA":
        return PIL.Image.fromarray(pixels).quantize(40)
    rgba = PIL.Image.fromarray(pixels)
    return rgba.convert(mode) if mode in ("RGBA", "LA") else rgba.convert("RGB").convert(mode)


def encoded(image: PIL.Image.Image, form: str, **options: object) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif(orientation: int) -> PIL.Image.Exif:
    """EXIF with a maker and an orientation."""
    tags = PIL.Image.Exif()
    tags[0x010F] = "maker"
    tags[0x0112] = orientation
    return tags


def tiff(*entries: tuple[int, int, int, bytes], order: str = "<", at: int = 8, after: bytes = b"") -> bytes:
    """TIFF data, as EXIF is, with one directory of (tag, type, count, value in four bytes), and perhaps another."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    body = b"".join(struct.pack(f"{order}HHI", tag, form, count) + value for tag, form, count, value in entries)
    directory = head.ljust(at, b"\0") + struct.pack(f"{order}H", len(entries)) + body
    return directory + struct.pack(f"{order}I", len(directory) + 4 if after else 0) + after


def turned(orientation: int) -> bytes:
    """EXIF of nothing but an orientation."""
    return tiff((0x0112, 3, 1, struct.pack("<HH", orientation, 0)))


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, before: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG of noise with all five filters, of any depth and type of colour, as no library writes all of them."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def rows(across: int, down: int) -> bytes:
        body = [RANDOM.bytes((across * samples * depth + 7) // 8) for _ in range(down if across else 0)]
        return b"".join(bytes([i % 5]) + row for i, row in enumerate(body))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    pixels = b"".join(
        rows(-(-max(0, width - x) // dx), -(-max(0, height - y) // dy))
        for x, y, dx, dy in (passes if interlaced else [(0, 0, 1, 1)])
    )
    palette = chunk(b"PLTE", RANDOM.bytes(3 << depth)) if colour == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", header, palette, before, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND"))
    )


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def inserted(jpeg: bytes, segments: bytes) -> bytes:
    """A JPEG with more segments behind its first two bytes."""
    return jpeg[:2] + segments + jpeg[2:]


def jpeg_of_scans(width: int, height: int, scans: int, frame: int = 0xC2, between: bytes = b"") -> bytes:
    """A JPEG of few bytes for each scan, all of them zero bits; each scan takes the decoder over all pixels."""
    colours = b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    zero = b"\1" + bytes(15) + b"\0"  # one code, which is 0 and means zero
    tables = segment(0xDB, b"\0" + b"\x10" * 64) + b"".join(
        segment(0xC4, bytes([kind]) + zero) for kind in (0, 1, 0x10, 0x11)
    )
    size = segment(frame, struct.pack(">BHHB", 8, height, width, 3) + colours)
    blocks = -(-width // 8) * -(-height // 8)
    if frame == 0xC2:
        first = segment(0xDA, b"\3\1\0\2\0\3\0\0\0\0") + bytes(-(-3 * blocks // 8))
        further = [
            segment(0xDA, bytes([1, colour, 0, each, each, 0])) + bytes(-(-blocks // 8))
            for each in range(1, 64)
            for colour in (1, 2, 3)
        ]
    else:
        further = [segment(0xDA, bytes([1, colour, 0, 0, 63, 0])) + bytes(-(-2 * blocks // 8)) for colour in (1, 2, 3)]
        first = further[0]
        further = [*further[1:], first]
    tails = (between + each for each in itertools.cycle(further))
    return b"\xff\xd8" + tables + size + first + b"".join(itertools.islice(tails, scans - 1)) + b"\xff\xd9"


def webp_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a WebP."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def webp(*chunks: bytes) -> bytes:
    """A WebP of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def three_bytes(*numbers: int) -> bytes:
    """Numbers as WebP writes sizes."""
    return b"".join(number.to_bytes(3, "little") for number in numbers)


def animated_webp(
    width: int, height: int, frames: int = 1, at: tuple[int, int] = (0, 0), alpha: bool = False, before: bytes = b""
) -> bytes:
    """An animation whose frames are of 8 x 6 pixels on a canvas of any size."""
    pixels = encoded(PIL.Image.new("RGBA", (8, 6), (255, 0, 0, 128 if alpha else 255)), "WEBP", lossless=True)[12:]
    frame = webp_chunk(b"ANMF", three_bytes(at[0] // 2, at[1] // 2, 7, 5, 100) + b"\0" + pixels)
    head = webp_chunk(b"VP8X", bytes([0x12 if alpha else 2, 0, 0, 0]) + three_bytes(width - 1, height - 1))
    return webp(head, webp_chunk(b"ANIM", bytes(6)), before, *itertools.repeat(frame, frames))


def honest_files() -> Iterator[tuple[str, bytes]]:
    """Files of every kind that the formats allow and writers write, with their names."""
    jpegs: list[dict[str, object]] = [
        *({"subsampling": each} for each in (0, 1, 2)),
        {"progressive": True},
        {"quality": 30},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"comment": b"hello", "icc_profile": bytes(3_000_000), "dpi": (300, 300)},
        {"xmp": b'<x tiff:Orientation="6"/>'},
    ]
    for (width, height), mode in itertools.product(((83, 61), (1, 1), (640, 40)), ("RGB", "L", "CMYK")):
        for options in jpegs:
            if mode != "L" or "subsampling" not in options:
                yield f"JPEG {mode} {width} {options.keys()}", encoded(picture(mode, width, height), "JPEG", **options)
    yield "JPEG in RGB", encoded(picture("RGB"), "JPEG", keep_rgb=True)
    for form, orientation in itertools.product(("JPEG", "PNG", "WEBP"), range(10)):
        yield f"{form} orientation {orientation}", encoded(picture("RGB"), form, exif=exif(orientation))
    for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"):
        yield f"PNG {mode}", encoded(picture(mode), "PNG", icc_profile=bytes(900_000), dpi=(72, 72))
    transparent = {0: [b"\0\3", b"\0\0"], 2: [b"\0\1\0\2\0\3"], 3: [b"\0", b"\xff\xff\0\xff", b"\x80\x10"]}
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth, interlaced in itertools.product(depths, (False, True)):
            yield f"PNG {colour} {depth} {interlaced}", png(35, 21, depth, colour, interlaced=interlaced)
            for alpha in transparent.get(colour, []):
                yield f"PNG tRNS {colour} {depth} {alpha!r}", png(35, 21, depth, colour, chunk(b"tRNS", alpha))
    for mode, lossless in itertools.product(("RGB", "RGBA", "L", "LA", "P", "PA"), (False, True)):
        yield f"WEBP {mode} {lossless}", encoded(picture(mode, 83, 61), "WEBP", lossless=lossless)
        yield (
            f"WEBP extended {mode} {lossless}",
            encoded(
                picture(mode, 83, 61), "WEBP", lossless=lossless, icc_profile=bytes(999), xmp=b"tiff:Orientation>3"
            ),
        )
    for form, mode in itertools.product(("PNG", "WEBP"), ("RGB", "RGBA")):
        frames = [picture(mode) for _ in range(3)]
        yield f"{form} animated {mode}", encoded(frames[0], form, save_all=True, append_images=frames[1:])
    for alpha in (False, True):
        yield f"WEBP small frame {alpha}", animated_webp(20, 16, 3, at=(4, 2), alpha=alpha)
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 1_000_000, zip=True)
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="8"/>')
    yield "PNG texts", encoded(picture("RGB"), "PNG", pnginfo=text)
    maker = PIL.Image.Exif()
    maker[0x010F] = "maker"
    yield "PNG orientation in XMP", encoded(picture("RGB"), "PNG", pnginfo=text, exif=maker)
