"""Colours are those that a browser draws on an sRGB canvas, within a few levels, whatever says which they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from hiseg.images.encoded import inspect
from tests.browser import open_browser, shown
from tests.service.images.colours import profiles
from tests.service.images.colours.test_described import ADOBE_XY, ICCP, SRGB, chrm, cicp, gama, png_of
from tests.service.images.files import LIMITS, encoded, picture, segment

PHOTO = picture("RGB", 96, 64)
PIXELS = np.asarray(PHOTO)
PROFILES = {
    "Display P3": profiles.of_colours(profiles.DISPLAY_P3),
    "Adobe RGB": profiles.of_colours(profiles.ADOBE_RGB, profiles.gamma(2.2), version=2),
    "ProPhoto": profiles.of_colours(profiles.PROPHOTO, profiles.gamma(1.8)),
    "swapped": profiles.of_colours(profiles.SWAPPED),
    "linear": profiles.of_colours(profiles.SRGB, profiles.gamma(1.0)),
    "sRGB": profiles.of_colours(profiles.SRGB),
    "scanner": profiles.of_scanner(33),
    "grey": profiles.of_grey(profiles.gamma(1.5)),
    "press": profiles.of_press(17),
    "cut off": profiles.of_colours(profiles.DISPLAY_P3)[:300],
}
CHUNKS = {
    "linear": gama(100_000),
    "Macintosh": gama(55_556),
    "sRGB's gamma": gama(45_455),
    "gamma and primaries": gama(45_455) + chrm(*ADOBE_XY),
    "primaries alone": chrm(*ADOBE_XY),
    "sRGB before gamma": SRGB + gama(100_000),
    "profile before gamma": ICCP + gama(100_000),
    "Display P3": cicp(12, 13, 0, 1),
    "Display P3 before all others": cicp(12, 13, 0, 1) + ICCP,
    "BT.2020": cicp(9, 1, 0, 1),
    "BT.709": cicp(1, 1, 0, 1),
    "linear BT.709": cicp(1, 8, 0, 1),
    "BT.601": cicp(6, 6, 0, 1),
    "DCI-P3": cicp(11, 13, 0, 1),
    "limited range": cicp(12, 13, 0, 0),
}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as browser:
        yield browser.new_page()


def differences(page: Page, data: bytes) -> np.ndarray:
    drawn = shown(page, data)
    assert drawn is not None
    return np.abs(inspect(data, LIMITS).decode().pixels.astype(int) - drawn)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGB", "WEBP")],
)
@pytest.mark.parametrize("name", PROFILES)
def test_profiles(page: Page, name: str, mode: str, form: str) -> None:
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {"quality": 95}
    found = differences(page, encoded(PHOTO.convert(mode), form, icc_profile=PROFILES[name], **options))
    # Tables are looked up in another way.
    most, mean = {"scanner": (4, 1), "press": (20, 1)}.get(name, (2, 0.2))
    assert found.max() <= most
    assert found.mean() <= mean


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", CHUNKS)
def test_chunks(page: Page, name: str, bits: int) -> None:
    numbers = PIXELS if bits == 8 else PIXELS.astype(np.uint16) * 257
    for pixels in (numbers, numbers[..., 0]):
        assert differences(page, png_of(pixels, CHUNKS[name])).max() <= 2


@pytest.mark.parametrize("curve", [16, 18], ids=["PQ", "HLG"])
def test_hdr_is_about_as_bright(page: Page, curve: int) -> None:
    greys = np.arange(256, dtype=np.uint8)[None].repeat(4, axis=0)
    assert differences(page, png_of(greys, cicp(9, curve, 0, 1))).max() <= 6
    assert differences(page, png_of(PIXELS, cicp(9, curve, 0, 1))).mean() <= 8


@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_sixteen_bits(page: Page, colours: int) -> None:
    numbers = np.random.default_rng(0).integers(0, 65536, (30, 40, colours), dtype=np.uint16)
    if colours in (2, 4):
        numbers[..., -1] = 65535
    assert differences(page, png_of(numbers)).max() <= 1


def with_numbers(jpeg: bytes, *numbers: int) -> bytes:
    """A JPEG whose colours have other numbers, in its frame and in its scan."""
    changed = bytearray(jpeg)
    frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
    for index, number in enumerate(numbers):
        changed[frame + 10 + 3 * index] = changed[scan + 5 + 2 * index] = number
    return bytes(changed)


def with_adobe(jpeg: bytes, transform: int) -> bytes:
    """A JPEG with Adobe's segment in the place of JFIF's or of its own."""
    at = 2 if jpeg[3] in (0xE0, 0xEE) else 0
    rest = jpeg[4 + int.from_bytes(jpeg[4:6], "big") :] if at else jpeg[2:]
    return jpeg[:2] + segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform])) + rest


YCC, RGB = encoded(PHOTO, "JPEG", quality=95), encoded(PHOTO, "JPEG", keep_rgb=True)
CMYK = encoded(PHOTO.convert("CMYK"), "JPEG", quality=95)
JPEGS = {
    "YCbCr": YCC,
    "RGB": RGB,
    "CMYK": CMYK,
    "YCCK": with_adobe(CMYK, 2),
    "CMYK without Adobe's segment": CMYK.replace(b"Adobe", b"Other"),
    "YCbCr by Adobe": with_adobe(YCC, 1),
    "RGB by Adobe": with_adobe(YCC, 0),
    "an unknown transform": with_adobe(YCC, 7),
    "numbered from 0": with_numbers(YCC, 0, 1, 2),
    "numbered RGB": with_numbers(YCC, *b"RGB"),
    "numbered RGB without JFIF": with_numbers(YCC.replace(b"JFIF", b"JUNK"), *b"RGB"),
    "numbered oddly": with_numbers(YCC, 9, 7, 250),
    "numbered oddly without JFIF": with_numbers(YCC.replace(b"JFIF", b"JUNK"), 9, 7, 250),
    "grey numbered oddly": with_numbers(encoded(PHOTO.convert("L"), "JPEG"), 77),
}


@pytest.mark.parametrize("name", JPEGS)
def test_colour_models_of_jpegs(page: Page, name: str) -> None:
    assert differences(page, JPEGS[name]).max() <= 2


def webp_profile_kinds() -> dict[str, bytes]:
    """WebPs whose profile stands behind the pixels, and one that doesn't say that it has one."""
    profile = PROFILES["swapped"]
    file = encoded(PHOTO, "WEBP", lossless=True, icc_profile=profile)
    head, profile_end = 30, 30 + 8 + len(profile) + len(profile) % 2
    return {
        "behind the pixels": file[:head] + file[profile_end:] + file[head:profile_end],
        "not announced": file[:20] + bytes([file[20] & ~0x20]) + file[21:],
    }


@pytest.mark.parametrize("name", webp_profile_kinds())
def test_profiles_in_odd_places_of_a_webp(page: Page, name: str) -> None:
    assert differences(page, webp_profile_kinds()[name]).max() <= 2
