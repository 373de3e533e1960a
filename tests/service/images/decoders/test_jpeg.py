"""How often a JPEG may be gone over, and at which part of its size it is decoded."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg.core.errors import UndecodableImage
from hiseg.images.encoded import inspect
from hiseg.images.limits import MAX_PARTS, MAX_SCANNED_PIXELS, MAX_SCANS
from tests.service.images.files import LIMITS, encoded, exif, jpeg_of_scans, picture, segment


@pytest.mark.parametrize("frame", [0xC0, 0xC2], ids=["sequential", "progressive"])
@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"", id="plain"),
        pytest.param(segment(0xFE, b"\xff\xd9" * 9), id="what looks like the end between scans"),
        pytest.param(b"\xff\xd0\xff\xff\xff", id="padding and restarts"),
    ],
)
def test_scans_are_counted_and_limited(frame: int, between: bytes) -> None:
    assert inspect(jpeg_of_scans(64, 64, MAX_SCANS, frame, between), LIMITS).decode().width == 64
    with pytest.raises(UndecodableImage, match="scans") as raised:
        inspect(jpeg_of_scans(64, 64, 20_000, frame, between), LIMITS).decode()
    assert (raised.value.limit, raised.value.value) == (MAX_SCANS, MAX_SCANS + 1)


def test_large_images_may_have_fewer_scans() -> None:
    most = MAX_SCANNED_PIXELS // (8000 * 6000)
    with pytest.raises(UndecodableImage, match="scans") as raised:
        inspect(jpeg_of_scans(8000, 6000, most + 1), LIMITS).decode()
    assert raised.value.limit == most


def test_bytes_that_look_like_scans_are_none_within_tables_or_behind_the_image() -> None:
    lookalikes = segment(0xFE, b"\xff\xda" * 200)
    assert inspect(jpeg_of_scans(64, 64, 9, between=lookalikes), LIMITS).decode().width == 64
    film = jpeg_of_scans(64, 64, 9) + b"\xff\xda" * 10_000
    assert inspect(film, LIMITS).decode().width == 64


def test_segments_between_scans_are_counted_where_scans_must_be() -> None:
    with pytest.raises(UndecodableImage, match="segments between its scans") as raised:
        inspect(jpeg_of_scans(64, 64, 2, between=segment(0xFE, b"\xff\xda") * 10_000), LIMITS).decode()
    assert raised.value.limit == MAX_PARTS


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    ("at_least", "size"),
    [
        ((241, 321), (480, 640)),
        ((240, 320), (240, 320)),
        ((90, 120), (120, 160)),
        ((91, 120), (240, 320)),
        ((45, 60), (60, 80)),
        ((1, 1), (60, 80)),
        (None, (480, 640)),
    ],
)
def test_a_smaller_image_will_do(
    mode: str, orientation: int, at_least: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    image = inspect(encoded(picture(mode, 640, 480), "JPEG", exif=exif(orientation)), LIMITS)
    if orientation == 6:
        at_least = (at_least[1], at_least[0]) if at_least else None
    decoded = image.decode(at_least)
    assert decoded.pixels.shape[:2] == (size if orientation == 1 else (size[1], size[0]))
    assert decoded.nbytes <= image.decoding_bytes_for(at_least)
    part = 480 // size[0]
    full = image.decode().pixels.astype(float)
    means = full.reshape(full.shape[0] // part, part, full.shape[1] // part, part, 3).mean(axis=(1, 3))
    assert np.abs(means - decoded.pixels).mean() < 4


def test_a_part_that_does_not_divide_the_size_is_not_taken() -> None:
    image = inspect(encoded(picture("RGB", 636, 476), "JPEG"), LIMITS)
    assert image.decode((1, 1)).pixels.shape[:2] == (119, 159)
    image = inspect(encoded(picture("RGB", 635, 476), "JPEG"), LIMITS)
    assert image.decode((1, 1)).pixels.shape[:2] == (476, 635)


def test_progressive_images_are_counted_with_their_coefficients() -> None:
    sizes = {}
    for subsampling, progressive in ((0, False), (0, True), (2, True)):
        data = encoded(picture("RGB", 640, 480), "JPEG", subsampling=subsampling, progressive=progressive)
        sizes[subsampling, progressive] = inspect(data, LIMITS).decoding_bytes
    pixels = 640 * 480
    assert sizes[0, True] - sizes[0, False] >= 6 * pixels
    assert 3 * pixels <= sizes[2, True] - sizes[0, False] < 4 * pixels
