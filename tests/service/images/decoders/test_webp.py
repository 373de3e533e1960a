"""A WebP's pixels without its container."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from hiseg.core.errors import UndecodableImage
from hiseg.images.decoders import webp as decoder
from hiseg.images.encoded import inspect
from tests.service.images.files import LIMITS, animated_webp, encoded, picture, three_bytes, webp, webp_chunk


def test_a_frame_smaller_than_the_canvas_lies_on_white_or_black() -> None:
    for alpha, ground in ((False, 0), (True, 255)):
        image = inspect(animated_webp(20, 16, at=(4, 2), alpha=alpha), LIMITS)
        pixels = image.decode().pixels
        assert pixels.shape == (16, 20, 3)
        assert (pixels[:2] == ground).all()
        assert (pixels[:, 12:] == ground).all()
        assert tuple(pixels[2, 4]) == ((255, 127, 127) if alpha else (255, 0, 0))


def test_a_frame_outside_the_canvas_is_refused() -> None:
    with pytest.raises(UndecodableImage, match="outside"):
        inspect(animated_webp(20, 16, at=(14, 2)), LIMITS)


def test_pixels_of_another_size_than_the_canvas_are_refused() -> None:
    pixels = encoded(picture("RGB", 40, 30), "WEBP")[12:]
    for width, height in ((41, 30), (16, 16), (4000, 3000)):
        head = webp_chunk(b"VP8X", bytes(4) + three_bytes(width - 1, height - 1))
        with pytest.raises(UndecodableImage, match="another size"):
            inspect(webp(head, pixels), LIMITS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_file_that_ends_behind_its_pixels_is_whole(mode: str, lossless: bool) -> None:
    whole = encoded(picture(mode), "WEBP", lossless=lossless, exact=True, xmp=b"x" * 1000)
    expected, behind = inspect(whole, LIMITS).decode(), whole.index(b"XMP ")
    for end in (behind, behind + 4, behind + 8, behind + 500, len(whole) - 2):
        found = inspect(whole[:end], LIMITS).decode()
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.notes == (*expected.notes, decoder.NO_END_NOTE)
    for lost in (3, 100):
        with pytest.raises(UndecodableImage, match="cut off"):
            inspect(whole[: behind - lost], LIMITS)


def test_a_byte_of_padding_at_the_end_is_not_missed() -> None:
    body = encoded(picture("RGB"), "WEBP", xmp=b"x" * 999)
    assert body[-1] == 0
    found = inspect(body[:-1], LIMITS).decode()
    assert found.notes == ()


def test_what_decoding_a_canvas_takes_does_not_double_with_an_animation() -> None:
    canvas = 5000 * 5000
    assert inspect(animated_webp(5000, 5000), LIMITS).decoding_bytes < 3.5 * canvas


@pytest.mark.parametrize("lossless", [False, True])
def test_transparency_that_the_header_denies_is_ignored(lossless: bool) -> None:
    rgba = np.asarray(picture("RGBA"))
    data = bytearray(encoded(picture("RGBA"), "WEBP", lossless=lossless, exact=True, xmp=b"x"))
    assert data[12:16] == b"VP8X"
    data[20] &= ~0x10
    image = inspect(bytes(data), LIMITS)
    assert image.decode().pixels.shape == (*rgba.shape[:2], 3)
    assert image.decode().notes == ()


@pytest.mark.parametrize(("mode", "lossless"), [("RGB", True), ("RGBA", True), ("RGBA", False)])
def test_large_images_whose_codes_take_unknown_memory_wait_for_each_other(mode: str, lossless: bool) -> None:
    large = inspect(encoded(picture(mode, 400, 300), "WEBP", lossless=lossless), LIMITS)
    small = inspect(encoded(picture(mode), "WEBP", lossless=lossless), LIMITS)
    with ThreadPoolExecutor(1) as thread:
        with decoder._ONE_AT_A_TIME:
            waiting = thread.submit(large.decode)
            assert small.decode().pixels.any()
            assert not wait([waiting], timeout=0.2).done
        assert waiting.result().pixels.shape == (300, 400, 3)


def test_lossy_images_without_transparency_wait_for_nobody() -> None:
    with decoder._ONE_AT_A_TIME:
        assert inspect(encoded(picture("RGB", 400, 300), "WEBP"), LIMITS).decode().pixels.shape == (300, 400, 3)
