"""Files of whole pictures: what a reader gets back, and what a type can't hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hiseg.core.errors import TooLarge
from hiseg.core.image import Pixels
from hiseg.masks.formats.picture import MAX_SIDES, PictureType, encode_picture, picture_type

RGBA = np.zeros((40, 60, 4), np.uint8)
RGBA[:, 20:40] = 200, 100, 50, 255
RGBA[:, 40:] = 0, 0, 0, 128


def read(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", PictureType.PNG),
        ("a.JPG", PictureType.JPEG),
        ("a.b.jpeg", PictureType.JPEG),
        ("a.webp", PictureType.WEBP),
        ("a.gif", None),
        ("png", None),
    ],
)
def test_the_type_is_the_end_of_the_name(name: str, kind: PictureType | None) -> None:
    assert picture_type(Path(name)) is kind


@pytest.mark.parametrize(("kind", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_pixels_come_back(kind: str, form: str) -> None:
    ramp = np.linspace(0, 255, 60 * 40, dtype=np.uint8).reshape(40, 60)
    pixels = np.stack((ramp, ramp, 255 - ramp), axis=2)
    picture = read(encode_picture(pixels, PictureType(kind)))
    assert (picture.format, picture.size) == (form, (60, 40))
    assert np.abs(np.asarray(picture.convert("RGB"), np.int16) - pixels).mean() < (0.1 if kind == "png" else 4)


def test_transparency_stays_in_webp_and_is_laid_on_white_in_jpeg() -> None:
    webp = np.asarray(read(encode_picture(RGBA, PictureType.WEBP)))
    assert (webp[:, :, 3] == RGBA[:, :, 3]).all()
    jpeg = np.asarray(read(encode_picture(RGBA, PictureType.JPEG)), np.int16)
    for columns, colour in ((slice(4, 16), 255), (slice(44, 56), 127)):
        assert np.abs(jpeg[:, columns] - colour).max() < 8
    assert np.abs(jpeg[:, 24:36] - (200, 100, 50)).max() < 12


@pytest.mark.parametrize("kind", [PictureType.JPEG, PictureType.WEBP])
def test_what_is_too_large_for_a_type_is_refused(kind: PictureType) -> None:
    strip: Pixels = np.zeros((1, MAX_SIDES[kind] + 1, 3), np.uint8)
    with pytest.raises(TooLarge, match=f"{MAX_SIDES[kind]} pixels a side"):
        encode_picture(strip, kind)
    assert read(encode_picture(strip[:, :-1], kind)).width == MAX_SIDES[kind]
