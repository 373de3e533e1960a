"""Pillow images of every mode are sent so that the service shows what Pillow shows, and the client draws on that."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from hiseg.client import InvalidRequest
from hiseg.client.images import load_image, to_upright_rgb
from hiseg.core.image import Image
from hiseg.images.encoded import inspect
from tests.service.images.colours import profiles
from tests.service.images.files import LIMITS, picture

PHOTO = picture("RGB", 64, 48)
GREY = PHOTO.convert("L")
P3 = profiles.of_colours(profiles.DISPLAY_P3, name=profiles.name_4("Display P3"))
SRGB = profiles.of_colours(profiles.SRGB)


def served(image: PIL.Image.Image) -> Image:
    """What the service makes of what the client sends."""
    sent = load_image(image)
    found = inspect(sent, LIMITS).decode() if isinstance(sent, bytes) else Image(np.asarray(sent))
    np.testing.assert_array_equal(to_upright_rgb(image), found.pixels)
    return found


def with_profile(image: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    copy = image.copy()
    copy.info["icc_profile"] = profile
    return copy


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_colours_are_pillows(mode: str) -> None:
    image = PHOTO.convert(mode)
    found = served(image)
    np.testing.assert_array_equal(found.pixels, np.asarray(image.convert("RGB")))
    assert not found.notes


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_transparency_is_kept_for_the_service_to_see(mode: str) -> None:
    rgba = picture("RGBA", 64, 48)
    image = {"RGBA": rgba, "PA": rgba.quantize(40).convert("PA"), "RGBa": rgba.convert("RGBa")}.get(mode)
    image = image or (rgba.convert("LA") if mode == "LA" else rgba.convert("LA").convert("La"))
    flat = image.convert("LA" if mode == "La" else "RGBA").convert("RGBA")
    white = PIL.Image.new("RGBA", flat.size, "white")
    white.alpha_composite(flat)
    found = served(image)
    np.testing.assert_array_equal(found.pixels, np.asarray(white.convert("RGB")))
    assert found.notes == (("transparent: laid on white",) if mode != "PA" else found.notes)
    np.testing.assert_array_equal(255 if found.alpha is None else found.alpha, np.asarray(flat.getchannel("A")))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_of_8_bits_in_wider_modes_are_grey(mode: str) -> None:
    found = served(GREY.convert(mode))
    np.testing.assert_array_equal(found.pixels, np.asarray(GREY.convert("RGB")))
    assert not found.notes


def test_fractions_are_grey() -> None:
    fractions = PIL.Image.fromarray(np.asarray(GREY).astype(np.float32) / 255)
    np.testing.assert_array_equal(served(fractions).pixels, np.asarray(GREY.convert("RGB")))


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "I;16L"])
def test_numbers_of_16_bits_are_reduced_by_the_service(mode: str) -> None:
    numbers = np.asarray(GREY).astype(np.uint16) * 257
    if mode == "I":
        image = PIL.Image.fromarray(numbers.astype(np.int32))
    else:
        image = PIL.Image.frombytes(mode, GREY.size, numbers.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    assert image.mode == mode
    found = served(image)
    np.testing.assert_array_equal(found.pixels, np.asarray(GREY.convert("RGB")))
    assert found.notes == ("16 bits a channel: reduced to 8",)


@pytest.mark.parametrize(
    "numbers",
    [
        np.full((4, 4), -1, np.int32),
        np.full((4, 4), 70_000, np.int32),
        np.full((4, 4), 256.5, np.float32),
        np.full((4, 4), -0.5, np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.full((4, 4), np.inf, np.float32),
    ],
    ids=repr,
)
def test_numbers_that_no_image_has_are_refused(numbers: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match="must have numbers from 0 to") as caught:
        load_image(PIL.Image.fromarray(numbers))
    assert caught.value.field == "image"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_a_profile_goes_with_the_image(mode: str) -> None:
    image = with_profile(PHOTO.convert(mode), P3 if mode != "L" else profiles.of_grey(profiles.gamma(1.2)))
    shown = profiles.shown(image.convert("L" if mode == "L" else "RGB"), image.info["icc_profile"])
    found = served(image)
    np.testing.assert_array_equal(found.pixels, shown)
    assert found.notes == (f"colours converted from {'Dot Gain 20%' if mode == 'L' else 'Display P3'} to sRGB",)


def test_a_press_profile_is_applied_and_does_not_stay() -> None:
    press = profiles.of_press()
    image = with_profile(PHOTO.convert("CMYK"), press)
    found = served(image)
    np.testing.assert_array_equal(found.pixels, profiles.shown(image, press))
    assert not found.notes
    assert image.info["icc_profile"] == press, "the caller's own image stays as it is"


@pytest.mark.parametrize("profile", [SRGB, b"rubbish", b""])
def test_pixels_in_srgb_are_sent_without_being_packed(profile: bytes) -> None:
    assert isinstance(load_image(with_profile(PHOTO, profile)), np.ndarray)


def test_exif_of_a_pillow_image_turns_nothing() -> None:
    image = picture("RGBA", 64, 48)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    assert served(image).pixels.shape == (48, 64, 3)
