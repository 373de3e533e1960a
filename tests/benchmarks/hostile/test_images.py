"""Hostile images are images: what refuses them must do so by a limit, and not because they are broken."""

from __future__ import annotations

import io
from collections.abc import Callable

import PIL.Image
import pytest

from benchmarks.hostile import images

BUILDERS: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "palette": (lambda: images.png(70, 50, images.PALETTE), (70, 50)),
    "alpha": (lambda: images.png(70, 50, images.RGBA), (70, 50)),
    "16 bits, interlaced": (lambda: images.png(71, 53, images.RGB, depth=16, interlaced=True), (71, 53)),
    "chunks": (lambda: images.many_chunks(100), (8, 8)),
    "texts": (lambda: images.compressed_texts(2), (8, 8)),
    "international texts": (lambda: images.compressed_texts(2, name=b"iTXt"), (8, 8)),
    "markers": (lambda: images.many_markers(100), (64, 64)),
    "fill bytes": (lambda: images.fill_bytes(100), (64, 64)),
    "EXIF": (lambda: images.jpeg_exif(100, 70_000), (64, 64)),
    "progressive scans": (lambda: images.many_scans(72, 48, 5), (72, 48)),
    "sequential scans": (lambda: images.many_scans(72, 48, 5, images.BASELINE), (72, 48)),
    "noise": (lambda: images.noise(80, 60, progressive=True), (80, 60)),
    "WebP canvas": (lambda: images.webp(70, 50), (70, 50)),
    "WebP frames": (lambda: images.webp(8, 8, frames=10), (8, 8)),
    "WebP of one colour": (lambda: images.flat_webp(70, 50), (70, 50)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_pillow_reads_it(name: str) -> None:
    build, size = BUILDERS[name]
    image = PIL.Image.open(io.BytesIO(build()))
    image.load()
    assert image.size == size
