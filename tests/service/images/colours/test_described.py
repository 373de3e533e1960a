"""Which of a PNG's words about its colours counts, and what becomes of 16 bits."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from hiseg.images.encoded import inspect
from tests.service.images.colours import profiles
from tests.service.images.files import LIMITS, chunk

RAMP = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
P3 = profiles.of_colours(profiles.DISPLAY_P3, profiles.gamma(1.5), profiles.name_4("a screen"))
ADOBE_XY = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
SRGB_XY = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def gama(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def chrm(*values: int) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *values))


def cicp(*values: int) -> bytes:
    return chunk(b"cICP", bytes(values))


ICCP = chunk(b"iCCP", b"p\0\0" + zlib.compress(P3))
SRGB = chunk(b"sRGB", b"\0")


def png_of(pixels: np.ndarray, before: bytes = b"") -> bytes:
    """A PNG of pixels ``[H, W]``, or with 2, 3 or 4 colours, of 8 or 16 bits."""
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, colours = pixels.shape
    bits = 8 * pixels.itemsize
    rows = np.ascontiguousarray(pixels.astype(f">u{pixels.itemsize}")).view(np.uint8).reshape(height, -1)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[colours]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes()))
    return b"\x89PNG\r\n\x1a\n" + header + before + body + chunk(b"IEND")


def decoded(before: bytes, pixels: np.ndarray = RAMP) -> tuple[np.ndarray, tuple[str, ...]]:
    image = inspect(png_of(pixels, before), LIMITS).decode()
    return image.pixels, image.notes


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (cicp(12, 13, 0, 1) + ICCP + SRGB + gama(100_000), "Display P3"),
        (gama(100_000) + SRGB + ICCP + cicp(12, 13, 0, 1), "Display P3"),
        (ICCP + SRGB + gama(100_000), "a screen"),
        (ICCP + cicp(2, 2, 0, 1), "a screen"),
        (ICCP + cicp(9, 16, 9, 1), "a screen"),
        (cicp(12, 13, 0, 0) + gama(100_000), "gamma 1.00"),
        (gama(55_556), "gamma 1.80"),
        (gama(45_455) + chrm(*ADOBE_XY), "gamma 2.20 and other primaries"),
        (gama(100_000) + chrm(*SRGB_XY), "gamma 1.00"),
        (cicp(1, 4, 0, 1), "BT.709 with gamma 2.2"),
        (cicp(9, 1, 0, 1), "BT.2020 with gamma 2.4"),
        (cicp(11, 17, 0, 1), "DCI-P3 with the cinema's curve"),
        (cicp(1, 11, 0, 1), "BT.709 with gamma 2.4"),
        (cicp(8, 13, 0, 1), "generic film"),
        (cicp(22, 13, 0, 1), "EBU 3213"),
    ],
)
def test_the_chunk_counts_that_the_specification_puts_first(before: bytes, name: str) -> None:
    assert decoded(before)[1] == (f"colours converted from {name} to sRGB",)


@pytest.mark.parametrize(
    "before",
    [
        SRGB + gama(100_000) + chrm(*ADOBE_XY),
        gama(45_455),
        gama(45_000),
        gama(45_455) + chrm(*SRGB_XY),
        gama(0),
        gama(2**31),
        chunk(b"gAMA", b"\0\1\x86"),
        chrm(*ADOBE_XY),
        cicp(1, 13, 0, 1),
        cicp(1, 13, 0, 1) + ICCP + gama(100_000),
        cicp(12, 13, 0),
        cicp(0, 0, 0, 1),
        chunk(b"cICP"),
        chunk(b"cHRM", b"\0" * 8),
    ],
)
def test_what_says_nothing_else_than_srgb_changes_nothing(before: bytes) -> None:
    pixels, notes = decoded(before)
    np.testing.assert_array_equal(pixels, RAMP)
    assert not notes


def test_what_stands_behind_a_profile_that_cannot_be_used_counts() -> None:
    broken = chunk(b"iCCP", b"p\0\0" + zlib.compress(P3[:200]))
    ignored = "its colour profile was ignored: it is cut off"
    assert decoded(broken + gama(100_000))[1] == (ignored, "colours converted from gamma 1.00 to sRGB")
    assert decoded(broken + SRGB + gama(100_000))[1] == (ignored,)
    like_srgb = chunk(b"iCCP", b"p\0\0" + zlib.compress(profiles.of_colours(profiles.SRGB)))
    assert decoded(like_srgb + gama(100_000))[1] == ()


@pytest.mark.parametrize("values", [(0,) * 8, (31270, 0, *SRGB_XY[2:]), (1, 1) * 4, (2**31,) * 8])
def test_impossible_primaries_are_left_out(values: tuple[int, ...]) -> None:
    assert decoded(gama(100_000) + chrm(*values))[1] == ("colours converted from gamma 1.00 to sRGB",)


def test_curves_have_all_the_bits_that_are_there() -> None:
    light = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    pixels, notes = decoded(gama(100_000), light)
    share = light / 65535
    expected = 255 * np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    assert np.abs(pixels[..., 0] - expected).max() <= 0.55
    assert notes == ("16 bits a channel: reduced to 8", "colours converted from gamma 1.00 to sRGB")


@pytest.mark.parametrize("colours", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_bits_that_were_not_shifted_up_are_shown_as_they_were_meant(bits: int, colours: int) -> None:
    levels = np.linspace(0, 2**bits - 1, 30 * 40).reshape(30, 40)
    numbers = np.rint(levels)[..., None].repeat(colours, axis=2).astype(np.uint16)
    if colours in (2, 4):
        numbers[..., -1] = 65535
    pixels, notes = decoded(b"", numbers)
    assert np.abs(pixels - levels[..., None] / (2**bits - 1) * 255).max() <= 1
    assert notes == (f"16 bits a channel, of which the lower {bits} are used: reduced to 8 as if it had {bits}",)


@pytest.mark.parametrize("bits", [5, 8, 10, 12])
def test_an_alpha_channel_that_was_not_shifted_up_either_is_as_opaque_as_it_was_meant(bits: int) -> None:
    numbers = np.full((4, 4, 4), 2**bits - 1, np.uint16)
    before = chunk(b"sBIT", bytes([bits] * 4))
    assert inspect(png_of(numbers, before), LIMITS).decode().alpha is None
    numbers[..., 3] //= 2
    image = inspect(png_of(numbers, before), LIMITS).decode()
    assert image.alpha is not None
    assert abs(int(image.alpha[0, 0]) - 127) <= 8


@pytest.mark.parametrize(
    ("before", "largest", "bits"),
    [
        (b"", 4095, 12),
        (b"", 4096, 16),
        (chunk(b"sBIT", bytes([14] * 3)), 16383, 14),
        (chunk(b"sBIT", bytes([14] * 3)), 900, 14),
        (chunk(b"sBIT", bytes([12] * 3)), 65520, 16),
        (chunk(b"sBIT", bytes([16] * 3)), 900, 16),
        (chunk(b"sBIT", bytes([20] * 3)), 65520, 16),
        (chunk(b"sBIT", bytes([20] * 3)), 900, 10),
        (b"", 0, 16),
    ],
)
def test_which_bits_are_used_is_told_by_the_numbers_and_by_sbit(before: bytes, largest: int, bits: int) -> None:
    pixels, notes = decoded(before, np.full((4, 4, 3), largest, np.uint16))
    assert np.abs(pixels.astype(int) - int(largest / (2**bits - 1) * 255)).max() <= 1
    assert ("lower" in notes[0]) == (bits < 16)


def test_one_transparent_colour_of_16_bits_is_that_one_alone() -> None:
    grey = np.array([[0x1234, 0x1235, 0xFFFF]], np.uint16)
    image = inspect(png_of(grey, chunk(b"tRNS", b"\x12\x34")), LIMITS).decode()
    assert image.alpha is not None
    assert image.alpha.tolist() == [[0, 255, 255]]
    assert image.pixels[0, :, 0].tolist() == [255, 0x12, 255]
    colour = np.array([[[1, 2, 0xFF03], [1, 2, 0xFF04]]], np.uint16)
    image = inspect(png_of(colour, chunk(b"tRNS", b"\0\1\0\2\xff\3")), LIMITS).decode()
    assert image.alpha is not None
    assert image.alpha.tolist() == [[0, 255]]
