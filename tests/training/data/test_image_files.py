"""Images have the size at which they are shown, whatever their type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiseg.images.encoded import inspect
from hiseg.images.limits import UNLIMITED
from hiseg_training.data.image_files import read_image, shown_size

ORIENTATION = 0x0112


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_and_pixels_are_those_at_which_images_are_shown(tmp_path: Path, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "a"
    Image.new("RGB", (50, 40), "red").save(path, form, exif=exif)
    assert shown_size(path) == ((50, 40) if orientation < 5 else (40, 50))
    pixels = read_image(path)
    assert pixels is not None
    assert (pixels.shape[1], pixels.shape[0]) == shown_size(path)
    assert pixels[5, 5, 0] > 250
    assert pixels[5, 5, 2] < 5
    np.testing.assert_array_equal(pixels, inspect(path.read_bytes(), UNLIMITED).decode().pixels)


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_types_that_the_service_does_not_take_are_read_too(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    Image.new("RGB", (50, 40), "red").save(path, form)
    assert shown_size(path) == (50, 40)
    pixels = read_image(path)
    assert pixels is not None
    assert (pixels == (255, 0, 0)).all()


def test_the_header_of_a_large_file_is_enough_and_so_is_one_behind_much_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((900, 700), 99).save(path, quality=95)
    assert path.stat().st_size > 2**18
    assert shown_size(path) == (900, 700)
    Image.new("RGB", (50, 40)).save(path, icc_profile=bytes(300_000))
    assert shown_size(path) == (50, 40)


def test_damaged_images_are_read_as_well_as_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((90, 70), 99).convert("RGB").save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    assert shown_size(path) == (90, 70)
    pixels = read_image(path)
    assert pixels is not None
    assert pixels.shape == (70, 90, 3)
    assert read_image(tmp_path / "b.jpg") is None


def test_what_is_no_image_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(np.arange(99, dtype=np.uint8).tobytes())
    assert shown_size(path) is None
    assert read_image(path) is None
