"""What of a PNG reaches the decoder, and what doesn't."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest

from hiseg.core.errors import UndecodableImage
from hiseg.images.encoded import inspect
from hiseg.images.limits import MAX_PIXEL_CHUNKS
from tests.service.images.files import LIMITS, chunk, encoded, picture, png

PNG = encoded(picture("RGB"), "PNG")
END = chunk(b"IEND")


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(90_000_000))) * 9, id="bombs"),
        pytest.param(chunk(b"aaAa") * 10_000, id="chunks"),
        pytest.param(chunk(b"fcTL", bytes(5)), id="a damaged frame"),
        pytest.param(b"\0\0\0\0tEXt", id="cut off"),
    ],
)
def test_what_stands_behind_the_pixels_is_not_looked_at(behind: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = inspect(PNG[: -len(END)] + behind + END, LIMITS).decode()
    np.testing.assert_array_equal(decoded.pixels, inspect(PNG, LIMITS).decode().pixels)


def test_pixels_in_many_chunks() -> None:
    begin = PNG.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", PNG, begin)
    pixels = PNG[begin + 8 : begin + 8 + length]
    split = b"".join(chunk(b"IDAT", pixels[i : i + 5]) for i in range(0, length, 5))
    np.testing.assert_array_equal(
        inspect(PNG[:begin] + split + END, LIMITS).decode().pixels, inspect(PNG, LIMITS).decode().pixels
    )
    with pytest.raises(UndecodableImage, match="chunks of pixels") as raised:
        inspect(PNG[:begin] + chunk(b"IDAT") * (MAX_PIXEL_CHUNKS + 1) + split + END, LIMITS).decode()
    assert raised.value.limit == MAX_PIXEL_CHUNKS


def test_more_packed_rows_than_the_image_has_are_left_packed() -> None:
    packer = zlib.compressobj(9)
    pixels = b"".join([packer.compress(bytes(2**20)) for _ in range(64)] + [packer.flush()])
    small = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    assert inspect(b"\x89PNG\r\n\x1a\n" + small + chunk(b"IDAT", pixels) + END, LIMITS).decode().width == 8


def test_an_animation_is_counted_by_what_it_says_and_never_gone_through() -> None:
    for announced, words in ((1, []), (7, ["animated: the first of 8 frames was used"]), (0, [])):
        before = chunk(b"acTL", struct.pack(">II", announced, 0))
        notes = inspect(png(8, 8, 8, 2, before), LIMITS).decode().notes
        assert list(notes) == (words or (["animated: the first of 2 frames was used"] if announced else []))


def test_an_image_of_one_row_is_converted_in_pieces() -> None:
    for mode in ("RGBA", "LA", "L"):
        data = encoded(picture(mode, 300_000, 1), "PNG")
        assert inspect(data, LIMITS).decode().pixels.shape == (1, 300_000, 3)
