"""Attacks with image files: headers that are slow to walk, and pixels that take more than the file tells."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.hostile import images
from benchmarks.hostile.kind import Attack, Kind, Target, repeat
from benchmarks.hostile.wire import post

CALLERS = 2
WIDE, HIGH = 7000, 7000
"""49 megapixels: as large as the service takes."""


def media_type(image: bytes) -> str:
    """What an image says it is."""
    return {b"\x89": "image/png", b"R": "image/webp"}.get(image[:1], "image/jpeg")


def send(*builders: Callable[[], bytes], callers: int = CALLERS, deadline_ms: int = 0) -> Callable[[Target], Attack]:
    """Callers that send images over and over, in turn.

    Args:
        builders: of the images.
        callers: how many at once.
        deadline_ms: as the request gives it; 0: the service's own.
    """

    def prepare(target: Target) -> Attack:
        built = [builder() for builder in builders]
        sent = 0

        def once() -> str:
            nonlocal sent
            image = built[sent % len(built)]
            sent += 1
            query = "boxes=1,1,7,7" + (f"&deadline_ms={deadline_ms}" if deadline_ms else "")
            return post(target, f"/v1/segment?{query}", image, media_type(image))

        return repeat(once, callers)

    return prepare


KINDS = (
    Kind("image-fill", "JPEG of 19 MB of 0xFF between two markers", send(lambda: images.fill_bytes(19_000_000))),
    Kind("image-markers", "JPEG of 4.9 million empty comments, 19.6 MB", send(lambda: images.many_markers(4_900_000))),
    Kind("image-chunks", "PNG of 1.6 million empty chunks, 19 MB", send(lambda: images.many_chunks(1_600_000))),
    Kind(
        "image-texts",
        "PNG of 67 KB with 63 MiB of compressed texts (zTXt, iTXt), and a profile of 100 MiB",
        send(
            lambda: images.compressed_texts(63),
            lambda: images.compressed_texts(63, name=b"iTXt"),
            lambda: images.compressed_profile(100),
        ),
    ),
    Kind(
        "image-exif",
        "EXIF of 5,000 entries that share one payload, in a JPEG and a PNG",
        send(
            lambda: images.jpeg_exif(5000, 60_000),
            lambda: images.png(8, 8, before=images.chunk(b"eXIf", images.exif(5000, 60_000))),
        ),
    ),
    Kind(
        "image-sequential-scans",
        "sequential JPEG of 0.5 MB: 50,000 empty scans",
        send(lambda: images.many_scans(720, 720, 50_000, images.BASELINE)),
    ),
    Kind(
        "image-progressive-scans",
        "progressive JPEG of 48 MP with 3,000 empty scans, 30 KB",
        send(lambda: images.many_scans(8000, 6000, 3000)),
    ),
    Kind(
        "image-rgba",
        "four callers: PNG of 49 MP with alpha, 0.2 MB",
        send(lambda: images.png(WIDE, HIGH, images.RGBA), callers=4),
    ),
    Kind(
        "image-modes",
        "four callers: PNGs of 49 MP in 16 bits, with a palette, interlaced, grey with alpha",
        send(
            lambda: images.png(WIDE, HIGH, images.RGB, depth=16),
            lambda: images.png(WIDE, HIGH, images.PALETTE),
            lambda: images.png(WIDE, HIGH, images.RGBA, interlaced=True),
            lambda: images.png(WIDE, HIGH, images.GREY_ALPHA, depth=16),
            callers=4,
        ),
    ),
    Kind(
        "image-large-jpeg",
        "four callers: progressive JPEG of 49 MP, noise and one colour",
        send(
            lambda: images.noise(WIDE, HIGH, progressive=True),
            lambda: images.jpeg(WIDE, HIGH, progressive=True),
            callers=4,
        ),
    ),
    Kind(
        "image-webp",
        "four callers: WebP of 100 bytes with a canvas of 49 MP, and one of 49 MP in one colour",
        send(lambda: images.webp(WIDE, HIGH), lambda: images.flat_webp(WIDE, HIGH), callers=4),
    ),
    Kind("image-frames", "WebP of 100,000 frames", send(lambda: images.webp(8, 8, 100_000))),
)
