"""What of a PNG reaches the decoder, and what doesn't."""

from __future__ import annotations

import itertools
import re
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError, UndecodableImage
from hiseg.images.decoders.png import NO_END_NOTE, WRONG_CHECKSUM_NOTE
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


INDEXED = encoded(picture("P"), "PNG")
PIXELS_AT = PNG.index(b"IDAT") - 4
PACKED = PNG[PIXELS_AT + 8 : PIXELS_AT + 8 + int.from_bytes(PNG[PIXELS_AT : PIXELS_AT + 4], "big")]


def wrong(name: bytes, body: bytes) -> bytes:
    """A chunk whose checksum isn't right."""
    return chunk(name, body)[:-1] + bytes([chunk(name, body)[-1] ^ 255])


def before_pixels(chunks: bytes, png: bytes = PNG) -> bytes:
    at = png.index(b"IDAT") - 4
    return png[:at] + chunks + png[at:]


def of_pixels(packed: bytes) -> bytes:
    return PNG[:PIXELS_AT] + chunk(b"IDAT", packed) + END


def with_wrong_checksum(name: bytes, png: bytes = PNG) -> bytes:
    at = png.index(name) - 4
    end = at + 12 + int.from_bytes(png[at : at + 4], "big")
    return png[: end - 1] + bytes([png[end - 1] ^ 255]) + png[end:]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bytes(3_000_000)), id="immense XMP"),
        pytest.param(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(9_000_000))), id="immense text"),
        pytest.param(chunk(b"zTXt", b"k\0\0garbage"), id="text that can't be unpacked"),
        pytest.param(chunk(b"tIME", b"ab"), id="half a time"),
        pytest.param(chunk(b"pHYs", b"ab"), id="half a density"),
        pytest.param(chunk(b"abCd", b"x"), id="unknown"),
        pytest.param(chunk(b"acTL", b"\0"), id="half an animation"),
        pytest.param(chunk(b"PLTE", bytes(7)), id="a palette that nothing needs"),
        pytest.param(chunk(b"tRNS", b""), id="no transparent colour"),
        pytest.param(chunk(b"tRNS", b"\0\1\0"), id="half a transparent colour"),
        pytest.param(chunk(b"IDAT"), id="no pixels before the pixels"),
    ],
)
def test_odd_metadata_are_no_reason_to_refuse(chunks: bytes) -> None:
    decoded = inspect(before_pixels(chunks), LIMITS).decode()
    np.testing.assert_array_equal(decoded.pixels, inspect(PNG, LIMITS).decode().pixels)
    assert decoded.notes == ()


def test_chunks_with_wrong_checksums_are_ignored_and_named() -> None:
    turned = struct.pack(">2sHIHHHIHH", b"MM", 42, 8, 1, 0x0112, 3, 1, 6, 0)
    assert inspect(before_pixels(chunk(b"eXIf", turned)), LIMITS).width == 30
    decoded = inspect(before_pixels(wrong(b"eXIf", turned) + wrong(b"tEXt", b"a\0b")), LIMITS).decode()
    np.testing.assert_array_equal(decoded.pixels, inspect(PNG, LIMITS).decode().pixels)
    assert decoded.notes == ("wrong checksum: ignored of the metadata: eXIf, tEXt",)
    transparent = before_pixels(wrong(b"tRNS", bytes(3)), INDEXED)
    assert inspect(transparent, LIMITS).decode().notes == ("wrong checksum: ignored of the metadata: tRNS",)
    many = b"".join(wrong(bytes(name), b"") for name in itertools.product(b"abcde", b"x", b"XY", b"x"))
    assert inspect(before_pixels(many), LIMITS).decode().notes[0].count(",") == 7


@pytest.mark.parametrize("png", [PNG, INDEXED], ids=["colour", "indexed"])
def test_a_missing_end_is_noted(png: bytes) -> None:
    whole = inspect(png, LIMITS).decode().pixels
    for lost in (1, 4, 9, 12, 13, 16, 17):
        decoded = inspect(png[:-lost], LIMITS).decode()
        np.testing.assert_array_equal(decoded.pixels, whole)
        assert decoded.notes == (() if lost <= 4 else (NO_END_NOTE,))
    assert inspect(png + bytes(1000), LIMITS).decode().notes == ()


def test_pixels_with_a_wrong_checksum_are_taken_if_they_are_whole_by_their_own() -> None:
    decoded = inspect(with_wrong_checksum(b"IDAT"), LIMITS).decode()
    assert decoded.notes == (WRONG_CHECKSUM_NOTE,)
    np.testing.assert_array_equal(decoded.pixels, inspect(PNG, LIMITS).decode().pixels)
    whole = zlib.decompress(PACKED)
    stored = zlib.compress(whole, 0)
    flipped = stored[:500] + bytes([stored[500] ^ 1]) + stored[501:]
    for packed in (flipped, PACKED[:200] + b"\0" * 20 + PACKED[220:], PACKED[:-9]):
        odd = PNG[:PIXELS_AT] + wrong(b"IDAT", packed) + END
        with pytest.raises(UndecodableImage, match="it is damaged: a checksum of its pixels is wrong"):
            inspect(odd, LIMITS).decode()


@pytest.mark.parametrize("size", [(35, 21), (1, 9), (9, 1), (33, 16)], ids=repr)
@pytest.mark.parametrize("interlaced", [False, True], ids=["in rows", "interlaced"])
def test_rows_that_are_missing_are_refused_and_black_ones_are_not(size: tuple[int, int], interlaced: bool) -> None:
    kinds = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, depth in ((colour, depth) for colour, depths in kinds.items() for depth in depths):
        whole = png(*size, depth, colour, interlaced=interlaced)
        at = whole.index(b"IDAT") - 4
        count = len(zlib.decompress(whole[at + 8 :]))
        for missing in (0, 1, count // 3):
            data = whole[:at] + chunk(b"IDAT", zlib.compress(bytes(count - missing))) + END
            if not missing:
                assert inspect(data, LIMITS).decode().notes == inspect(whole, LIMITS).decode().notes
                continue
            with pytest.raises(UndecodableImage, match="some of its pixels are missing"):
                inspect(data, LIMITS).decode()


def test_a_bomb_with_a_wrong_checksum_is_not_unpacked_far() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join([packer.compress(bytes(2**20)) for _ in range(64)] + [packer.flush()])
    with pytest.raises(UndecodableImage, match="checksum"):
        inspect(PNG[:PIXELS_AT] + wrong(b"IDAT", bomb) + END, LIMITS).decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PNG[: len(PNG) // 2], "it is damaged: some of its pixels are missing or can't be read"),
        (of_pixels(PACKED[:500]), "it is damaged: some of its pixels are missing or can't be read"),
        (of_pixels(zlib.compress(zlib.decompress(PACKED)[:1000])), "it is damaged: some of its pixels are missing"),
        (
            of_pixels(zlib.compress(b"\7" + zlib.decompress(PACKED)[1:])),
            "it is damaged: some of its pixels are missing",
        ),
        (PNG[:PIXELS_AT] + chunk(b"IDAT", PACKED[:99]) + chunk(b"tEXt", b"a\0b") + END, "it is damaged: some of its"),
        (png(35, 21, 8, 2, interlaced=True)[:-300], "it is damaged: some of its pixels are missing"),
        (with_wrong_checksum(b"IHDR"), "it is damaged: the checksum of its IHDR chunk is wrong"),
        (with_wrong_checksum(b"PLTE", INDEXED), "it is damaged: the checksum of its PLTE chunk is wrong"),
        (before_pixels(chunk(b"ABCD")), "can't be read without its ABCD chunk, which is of an unknown kind"),
        (before_pixels(chunk(b"PLTE", bytes(9)), INDEXED), "more than one PLTE chunk"),
        (INDEXED[:33] + INDEXED[INDEXED.index(b"IDAT") - 4 :], "its palette has 0 bytes"),
        (PNG[:8] + chunk(b"CgBI", b"\x50\0\x20\6") + PNG[8:], "Apple's own format for apps (CgBI)"),
        (PNG[:8] + chunk(b"tEXt", b"a\0b") + PNG[8:], "its size doesn't stand at its beginning"),
        (PNG[:8] + PNG[8:33] * 2 + PNG[33:], "its size doesn't stand at its beginning"),
        (PNG[:8] + chunk(b"IHDR", PNG[16:28] + b"\2") + PNG[33:], "methods [0, 0, 2] of packing, filtering and inter"),
    ],
)
def test_what_is_damaged_or_of_another_kind_is_refused_and_says_why(data: bytes, words: str) -> None:
    with pytest.raises(UndecodableImage, match=re.escape(words)):
        inspect(data, LIMITS).decode()


VALID = [
    encoded(picture("RGB"), "PNG", dpi=(72, 72)),
    encoded(picture("P"), "PNG", transparency=3),
    encoded(picture("L"), "PNG", transparency=9),
    encoded(picture("RGBA"), "PNG", icc_profile=bytes(300)),
    png(35, 21, 16, 2, interlaced=True),
]


@given(st.sampled_from(VALID), st.data())
def test_no_flipped_bit_changes_pixels_without_a_word(whole: bytes, draw: st.DataObject) -> None:
    bit = draw.draw(st.integers(0, 8 * len(whole) - 1))
    odd = bytearray(whole)
    odd[bit // 8] ^= 1 << bit % 8
    expected = inspect(whole, LIMITS).decode()
    try:
        found = inspect(bytes(odd), LIMITS).decode()
    except HisegError:
        return
    if found.notes == expected.notes:
        np.testing.assert_array_equal(found.pixels, expected.pixels)
