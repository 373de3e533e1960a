"""Profiles of every kind are applied as littlecms does it, or left out with a word; none takes more than it may."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from hiseg.core.stop import Abandoned, Stop
from hiseg.images.colours import conversion
from hiseg.images.colours.profile import MAX_PROFILE_BYTES, MAX_PROFILE_TAGS
from hiseg.images.encoded import inspect
from tests.service.images.colours import profiles
from tests.service.images.files import LIMITS, chunk, encoded, inserted, picture, png, segment

P3 = profiles.of_colours(profiles.DISPLAY_P3, name=profiles.name_4("Display P3"))
PHOTO = picture("RGB", 96, 64)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}}
OF_RGB = {
    "Display P3": P3,
    "Adobe RGB (1998)": profiles.of_colours(
        profiles.ADOBE_RGB, profiles.gamma(2.2), profiles.name_2("Adobe RGB (1998)"), version=2
    ),
    "ProPhoto RGB": profiles.of_colours(profiles.PROPHOTO, profiles.sampled(1.8), profiles.name_4("ProPhoto RGB")),
    "swapped": profiles.of_colours(profiles.SWAPPED, name=profiles.name_2("swapped"), version=2),
    "EPSON Scanner": profiles.of_scanner(),
    "an unnamed colour profile": profiles.of_colours(profiles.SRGB, profiles.gamma(1.0)),
}


def decoded_with(profile: bytes, image: PIL.Image.Image = PHOTO, form: str = "PNG") -> tuple[np.ndarray, list[str]]:
    found = inspect(encoded(image, form, icc_profile=profile, **LOSSLESS.get(form, {})), LIMITS).decode()
    return found.pixels, list(found.notes)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("name", OF_RGB)
def test_colours_are_littlecmss(name: str, form: str) -> None:
    pixels, notes = decoded_with(OF_RGB[name], form=form)
    source = PHOTO if form != "JPEG" else PIL.Image.fromarray(inspect(encoded(PHOTO, "JPEG"), LIMITS).decode().pixels)
    np.testing.assert_array_equal(pixels, profiles.shown(source, OF_RGB[name]))
    assert np.abs(pixels.astype(int) - np.asarray(source)).max() > 10
    assert notes == [f"colours converted from {name} to sRGB"]


def test_other_colour_models() -> None:
    grey, press = profiles.of_grey(profiles.gamma(1.2)), profiles.of_press()
    for form in ("PNG", "JPEG"):
        pixels, notes = decoded_with(grey, PHOTO.convert("L"), form)
        file = encoded(PHOTO.convert("L"), form)
        source = PIL.Image.fromarray(inspect(file, LIMITS).decode().pixels[..., 0])
        np.testing.assert_array_equal(pixels, profiles.shown(source, grey))
        assert notes == ["colours converted from Dot Gain 20% to sRGB"]
    file = encoded(PHOTO.convert("CMYK"), "JPEG", icc_profile=press)
    image = inspect(file, LIMITS).decode()
    with PIL.Image.open(io.BytesIO(file)) as inks:
        np.testing.assert_array_equal(image.pixels, profiles.shown(inks, press))
    assert image.notes == ("colours converted from Coated FOGRA39 to sRGB",)


def test_grey_images_have_their_place_among_the_colours_of_a_profile() -> None:
    pixels, notes = decoded_with(OF_RGB["an unnamed colour profile"], PHOTO.convert("L"))
    expected = profiles.shown(PHOTO.convert("L").convert("RGB"), OF_RGB["an unnamed colour profile"])
    np.testing.assert_array_equal(pixels, expected)
    assert len(notes) == 1
    assert decoded_with(P3, PHOTO.convert("L"))[1] == [], "Display P3's greys are sRGB's"


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_colours_are_converted_before_they_are_laid_on_white(mode: str) -> None:
    image = picture(mode, 96, 64)
    profile = OF_RGB["an unnamed colour profile"]
    rgba = image.convert("RGBA")
    own = PIL.Image.fromarray(profiles.shown(rgba.convert("RGB"), profile))
    own.putalpha(rgba.getchannel("A"))
    white = PIL.Image.new("RGBA", own.size, "white")
    white.alpha_composite(own)
    forms = ("PNG", "WEBP") if mode == "RGBA" else ("PNG",)
    for form in forms:
        file = encoded(image, form, icc_profile=profile, **({"exact": True} | LOSSLESS[form] if form == "WEBP" else {}))
        np.testing.assert_array_equal(inspect(file, LIMITS).decode().pixels, np.asarray(white.convert("RGB")))


def test_a_smaller_jpeg_is_converted_when_it_is_small() -> None:
    with_profile = encoded(picture("RGB", 640, 480), "JPEG", icc_profile=P3)
    plain = with_profile.replace(b"ICC_PROFILE", b"ICC_OTHERS!")
    small = inspect(plain, LIMITS).decode((90, 120)).pixels
    assert small.shape == (120, 160, 3)
    converted = inspect(with_profile, LIMITS).decode((90, 120)).pixels
    np.testing.assert_array_equal(converted, profiles.shown(PIL.Image.fromarray(small), P3))


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        profiles.of_colours(profiles.SRGB, name=profiles.name_4("sRGB IEC61966-2.1 black scaled")),
        profiles.of_colours(profiles.SRGB, name=profiles.name_2("c2"), version=2),
    ],
)
def test_profiles_of_srgb_change_nothing_and_are_not_told(profile: bytes) -> None:
    for form in LOSSLESS:
        pixels, notes = decoded_with(profile, form=form)
        np.testing.assert_array_equal(pixels, np.asarray(PHOTO))
        assert not notes


def at(profile: bytes, offset: int, body: bytes) -> bytes:
    """A profile with other bytes from an offset on."""
    return profile[:offset] + body + profile[offset + len(body) :]


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (b"no profile", "cut off"),
        (P3[:200], "cut off"),
        (P3[:-1], "cut off"),
        (at(P3, 0, bytes(4)), "cut off"),
        (at(P3, 36, b"ABCD"), "none of ICC's"),
        (at(P3, 8, b"\x05"), "later version"),
        (at(P3, 12, b"link"), "isn't of colours"),
        (at(P3, 16, b"Lab "), "isn't of colours"),
        (at(P3, 16, b"6CLR"), "isn't of colours"),
        (profiles.of_press(), "is for CMYK, and the image is RGB"),
        (profiles.of_grey(profiles.gamma(2)), "is for grey, and the image is RGB"),
        (at(P3, 128, bytes(4)), "damaged"),
        (at(P3, 128, b"\xff" * 4) + bytes(9), "4294967295 parts"),
        (P3.replace(b"para", b"pira"), "damaged"),
        (P3.replace(b"rTRC", b"xTRC"), "damaged"),
        (profiles.profile({b"A2B0": b"mft2\0\0\0\0\3\3\xff"}, pcs=b"Lab "), "damaged"),
    ],
    ids=repr,
)
def test_what_cannot_be_used_is_left_out_with_a_word(profile: bytes, reason: str) -> None:
    for form in ("PNG", "WEBP"):
        pixels, notes = decoded_with(profile, form=form)
        np.testing.assert_array_equal(pixels, np.asarray(PHOTO))
        (note,) = notes
        assert note.startswith("its colour profile was ignored: it ")
        assert reason in note


def test_a_jpegs_profile_in_segments_of_any_order() -> None:
    plain, count = encoded(PHOTO, "JPEG"), 5
    size = -(-len(P3) // count)
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([1 + i, count]) + P3[i * size : (i + 1) * size]) for i in range(count)
    ]
    whole = inspect(encoded(PHOTO, "JPEG", icc_profile=P3), LIMITS).decode()
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 1, 3]):
        found = inspect(inserted(plain, b"".join(parts[i] for i in order)), LIMITS).decode()
        np.testing.assert_array_equal(found.pixels, whole.pixels)
    for lacking in ([0, 1, 2, 3], [1, 2, 3, 4], [2]):
        found = inspect(inserted(plain, b"".join(parts[i] for i in lacking)), LIMITS).decode()
        assert found.notes == ("its colour profile was ignored: parts of it are missing",)


def test_large_profiles_and_bombs_are_not_unpacked() -> None:
    bomb = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(40 * 2**20), 9))
    image = inspect(png(40, 30, 8, 2, bomb), LIMITS)
    assert image.decode().notes == (
        f"its colour profile was ignored: it has {MAX_PROFILE_BYTES + 1} bytes or more; at most {MAX_PROFILE_BYTES} "
        "are read",
    )
    assert image.decoding_bytes > 4 * MAX_PROFILE_BYTES
    padded = chunk(b"iCCP", b"p\0\0" + zlib.compress(P3 + bytes(40 * 2**20), 9))
    assert inspect(png(40, 30, 8, 2, padded), LIMITS).decode().notes == ("colours converted from Display P3 to sRGB",)
    for packed in (b"p\0\1" + zlib.compress(P3), b"p\0\0rubbish", b"p" * 90, b"", b"p\0\0" + zlib.compress(P3)[:-40]):
        (note,) = inspect(png(40, 30, 8, 2, chunk(b"iCCP", packed)), LIMITS).decode().notes
        assert "ignored" in note


def test_parts_that_are_not_needed_never_reach_littlecms() -> None:
    costly = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, 10**6)
    tags = dict.fromkeys((b"D2B0", b"A2B1", b"B2A0", b"ncl2", b"pseq", b"gamt"), costly)
    tags |= {name: body for name, body in profile_tags(P3).items() if name != b"desc"}
    pixels, notes = decoded_with(profiles.profile(tags))
    np.testing.assert_array_equal(pixels, decoded_with(P3)[0])
    assert notes == ["colours converted from an unnamed colour profile to sRGB"]


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_table_for_another_intent_alone_is_taken(form: str) -> None:
    tags = profile_tags(profiles.of_scanner())
    tags[b"A2B1"] = tags.pop(b"A2B0")
    pixels, notes = decoded_with(profiles.profile(tags, b"RGB ", b"Lab ", b"scnr", version=2), form=form)
    np.testing.assert_array_equal(pixels, decoded_with(profiles.of_scanner(), form=form)[0])
    assert notes == ["colours converted from EPSON Scanner to sRGB"]


def test_a_part_that_is_pointed_at_often_is_not_copied_often() -> None:
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    table = b"".join(struct.pack(">4sII", name, 256, 3_000_000) for name in names)
    overlapping = at(at(P3, 0, struct.pack(">I", 3_001_000)), 128, struct.pack(">I", len(names)) + table)
    _, notes = decoded_with(overlapping + bytes(3_001_000))
    assert notes == ["its colour profile was ignored: its parts lie over each other"]
    many = struct.pack(">I", MAX_PROFILE_TAGS + 1) + struct.pack(">4sII", b"desc", 128, 4) * (MAX_PROFILE_TAGS + 1)
    assert "101 parts" in decoded_with(at(P3, 0, struct.pack(">I", 1_000))[:128] + many + bytes(1_000))[1][0]


def profile_tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    return {name: profile[begin : begin + size] for name, begin, size in entries}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (profiles.name_4("Couleurs d’écran", b"frFR"), "Couleurs d’écran"),
        (profiles.name_4("a\n\tb\0\u202ec "), "a b c"),
        (profiles.name_4("x" * 500), "x" * 39 + "…"),
        (profiles.name_2("x" * 500), "x" * 39 + "…"),
        (profiles.name_2("<b>Screen</b>"), "<b>Screen</b>"),
        (b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", 2**31, 2**31), "an unnamed colour profile"),
        (b"mluc" + bytes(30), "an unnamed colour profile"),
        (b"mluc\0\0\0\0" + b"\xff" * 30, "an unnamed colour profile"),
        (b"mluc\0\0\0\0" + struct.pack(">II", 0, 12) + bytes(40), "an unnamed colour profile"),
        (b"desc\0\0\0\0\xff\xff\xff\xff", "an unnamed colour profile"),
        (b"text\0\0\0\0Screen\0", "an unnamed colour profile"),
    ],
    ids=repr,
)
def test_names_are_made_fit_to_be_shown(name: bytes, shown: str) -> None:
    profile = profiles.of_colours(profiles.DISPLAY_P3, name=name)
    assert decoded_with(profile)[1] == [f"colours converted from {shown} to sRGB"]


def test_few_conversions_are_kept() -> None:
    for number in range(2 * conversion.MAX_KEPT_CONVERSIONS):
        decoded_with(profiles.of_colours(profiles.DISPLAY_P3, profiles.gamma(1 + number / 50)))
    assert len(conversion._KEPT.found) <= conversion.MAX_KEPT_CONVERSIONS


def test_the_event_loop_prepares_no_conversion() -> None:
    profile = profiles.of_colours(profiles.DISPLAY_P3, profiles.gamma(1.37))
    image = inspect(encoded(PHOTO, "JPEG", icc_profile=profile), LIMITS)
    assert inspect(encoded(PHOTO, "JPEG"), LIMITS).is_conversion_known
    assert not image.is_conversion_known
    image.decode()
    assert image.is_conversion_known


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_work_that_nobody_waits_for_ends_between_bands(form: str) -> None:
    stop = Stop()
    stop.cancel()
    image = inspect(encoded(picture("RGB", 640, 480), form, icc_profile=P3), LIMITS)
    with pytest.raises(Abandoned):
        image.decode(stop=stop)


@given(st.sampled_from([P3, profiles.of_scanner(5), OF_RGB["Adobe RGB (1998)"]]), st.data())
def test_a_damaged_profile_is_no_reason_to_refuse_an_image(profile: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(profile)
    for _ in range(draw.draw(st.integers(1, 8))):
        damaged[draw.draw(st.integers(0, min(len(damaged), 500) - 1))] = draw.draw(st.integers(0, 255))
    pixels, notes = decoded_with(bytes(damaged))
    assert pixels.shape == (64, 96, 3)
    assert len(notes) <= 1
