"""Whatever a file is made of, reading its header ends after a bounded number of steps, with our own errors or none."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError, TooLarge, UndecodableImage
from hiseg.images.encoded import EncodedImage
from hiseg.images.limits import MAX_FRAMES, MAX_PARTS, MAX_SIDE, MAX_STRAY_BYTES, MAX_TABLE_BYTES
from tests.service.images.files import (
    LIMITS,
    animated_webp,
    chunk,
    encoded,
    exif,
    inserted,
    picture,
    png,
    segment,
    webp_chunk,
)
from tests.service.images.steps import inspect_in_bounds

JPEG = encoded(picture("RGB"), "JPEG", exif=exif(6), comment=b"comment")
PNG = encoded(picture("P"), "PNG", exif=exif(6), transparency=1, icc_profile=bytes(100))
WEBP = encoded(picture("RGBA"), "WEBP", exif=exif(6), xmp=b"xmp", icc_profile=bytes(100))
VALID = [JPEG, PNG, WEBP, animated_webp(16, 16, 3), encoded(picture("CMYK"), "JPEG", progressive=True)]
TIFF = b"II*\0\x08\0\0\0"


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A valid file with bytes replaced, and with parts cut out, repeated or put elsewhere."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 6))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = bytes(data[at : min(end, at + 40)]) * draw(st.integers(1, 2000))
            case 3:
                data[at:at] = draw(st.sampled_from([b"\xff", b"\0", b"\xff\xfe\0\2", b"\xff\xff\xff\xff"])) * 999
            case _:
                data[at : at + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"]))
        del data[100_000:]
    return bytes(data)


@given(mutations())
def test_mutated_files_take_bounded_steps_and_raise_nothing_but_our_errors(data: bytes) -> None:
    result = inspect_in_bounds(data, LIMITS)
    if isinstance(result, EncodedImage):
        assert result.width * result.height <= LIMITS.max_pixels
        try:
            decoded = result.decode()
        except HisegError as error:
            assert error.field == "image"  # noqa: PT017 (either outcome is right)
        else:
            assert (decoded.width, decoded.height) == (result.width, result.height)


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\0\0WEBP"]), st.binary(max_size=300))
def test_noise_behind_a_signature_is_refused_in_bounded_steps(signature: bytes, noise: bytes) -> None:
    inspect_in_bounds(signature + noise, LIMITS)


@pytest.mark.parametrize(
    ("data", "words", "limit"),
    [
        pytest.param(inserted(JPEG, b"\xff\xfe\0\2" * 100_000), "segments before its pixels", MAX_PARTS, id="markers"),
        pytest.param(inserted(JPEG, b"\xff\0" * 100_000), "segments before its pixels", MAX_PARTS, id="escapes"),
        pytest.param(inserted(JPEG, b"\xff" * 2_000_000), "bytes between", MAX_STRAY_BYTES, id="fill"),
        pytest.param(
            inserted(JPEG, segment(0xFE, b"") + bytes(2_000_000)), "bytes between", MAX_STRAY_BYTES, id="zeros"
        ),
        pytest.param(inserted(JPEG, segment(0xDB, bytes(65_000)) * 9), "bytes of tables", MAX_TABLE_BYTES, id="tables"),
        pytest.param(png(8, 8, 8, 0, chunk(b"aaAa") * 100_000), "chunks before its pixels", MAX_PARTS, id="chunks"),
        pytest.param(animated_webp(8, 6, 100_000), "frames", MAX_FRAMES, id="frames"),
        pytest.param(animated_webp(8, 6, 1, before=webp_chunk(b"ABCD", b"") * 100_000), "chunks", MAX_PARTS, id="webp"),
    ],
)
def test_too_many_parts_are_refused_and_counted_no_further_than_the_limit(data: bytes, words: str, limit: int) -> None:
    result = inspect_in_bounds(data, LIMITS)
    assert isinstance(result, UndecodableImage)
    assert words in result.detail
    assert result.limit == limit
    assert isinstance(result.value, int)
    assert limit < result.value <= 2 * limit


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(inserted(JPEG, (b"\xff" * 200 + b"\0") * 5000), id="fill and zeros"),
        pytest.param(inserted(JPEG, (b"\xff" * 100 + b"\xfe\0\2") * 4000), id="padded markers"),
        pytest.param(inserted(JPEG, segment(0xE1, b"Exif\0\0" + TIFF + b"\xff\xff" + b"\1" * 60_000) * 300), id="exif"),
        pytest.param(png(8, 8, 8, 0, chunk(b"eXIf", TIFF + b"\xff\xff" + bytes(2_000_000))), id="png exif"),
        pytest.param(inserted(JPEG, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"tiff:" * 13_000)), id="xmp"),
    ],
)
def test_files_of_the_worst_metadata_take_bounded_steps(data: bytes) -> None:
    inspect_in_bounds(data, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            inserted(JPEG, segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0".ljust(65533)) * 80), id="xmp"
        ),
        pytest.param(inserted(JPEG, segment(0xE2, b"ICC_PROFILE\0\1\1".ljust(65533)) * 46), id="icc"),
        pytest.param(inserted(JPEG, segment(0xFE, b"x" * 1000) * 4000), id="many small comments"),
        pytest.param(inserted(JPEG, b"\xff" * 4000), id="padding"),
        pytest.param(JPEG + bytes(4_000_000) + b"\xff\xda\xff\xd9" * 500, id="film behind the image"),
        pytest.param(png(8, 8, 8, 2, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(50_000_000)))), id="zTXt"),
        pytest.param(png(8, 8, 8, 2, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000)))), id="iCCP"),
        pytest.param(
            png(8, 8, 8, 2, chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(2_000_000)))), id="packed iTXt"
        ),
        pytest.param(animated_webp(8, 6, 4000), id="a long animation"),
        pytest.param(animated_webp(8, 6, 1, before=webp_chunk(b"ICCP", bytes(3_000_000))), id="webp icc"),
    ],
)
def test_large_but_harmless_metadata_is_taken(data: bytes) -> None:
    result = inspect_in_bounds(data, LIMITS)
    assert isinstance(result, EncodedImage), result
    assert (result.decode().width, result.decode().height) == (result.width, result.height)


def test_the_size_of_a_canvas_is_looked_at_before_it_is_made() -> None:
    for width, height in ((16383, 16383), (65535, 32767), (1 << 24, 1 << 24)):
        result = inspect_in_bounds(animated_webp(width, height), LIMITS)
        assert isinstance(result, HisegError)
        assert result.value == width * height


@pytest.mark.parametrize(("width", "height"), [(1, 50_000_000), (2, 25_000_000), (1_000_001, 1), (1, 1_000_001)])
def test_no_side_is_longer_than_libraries_can_do_with(width: int, height: int) -> None:
    def image(across: int, down: int) -> bytes:
        size = struct.pack(">IIBBBBB", across, down, 8, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT")

    result = inspect_in_bounds(image(width, height), LIMITS)
    assert isinstance(result, TooLarge)
    assert (result.limit, result.value) == (MAX_SIDE, max(width, height))
    assert isinstance(inspect_in_bounds(image(50, MAX_SIDE), LIMITS), EncodedImage)


def test_messages_are_our_own() -> None:
    for data in (JPEG[:100], PNG[:60], WEBP[:30], JPEG[:-9], PNG[:-40], struct.pack(">H", 0xFFD8) + b"\xff\0"):
        result = inspect_in_bounds(data, LIMITS)
        if isinstance(result, EncodedImage):
            with pytest.raises(UndecodableImage) as raised:
                result.decode()
            result = raised.value
        assert " image cannot be decoded: it " in str(result)
        assert "0x" not in str(result)
