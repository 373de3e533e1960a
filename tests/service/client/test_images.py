"""What is sent for each kind of image that the client accepts."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from hiseg.client import InvalidRequest, RawFrame
from hiseg.client.images import load_image, to_file, to_upright_rgb

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
ORIENTATION = 0x0112
QUARTER_TURN = 6


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"anything")
    assert load_image(path) == load_image(str(path)) == b"anything"


def test_bytes_are_themselves() -> None:
    assert load_image(b"x") == load_image(bytearray(b"x")) == load_image(memoryview(b"x")) == b"x"


def test_pixels_stay_pixels_and_travel_without_loss() -> None:
    for image in (PIXELS, PIL.Image.fromarray(PIXELS), PIXELS[:, ::-1][:, ::-1], np.asfortranarray(PIXELS)):
        loaded = load_image(image)
        np.testing.assert_array_equal(loaded, PIXELS)
        with opened(to_file(loaded)) as sent:
            assert sent.format == "PNG"
            np.testing.assert_array_equal(sent, PIXELS)


def test_pixels_are_sent_as_jpeg_on_request() -> None:
    smooth = np.full((64, 64, 3), (200, 30, 60), np.uint8)
    with opened(to_file(smooth, jpeg_quality=95)) as sent:
        assert sent.format == "JPEG"
        assert np.abs(np.asarray(sent).astype(int) - smooth).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I;16"])
def test_other_colour_models_become_files(mode: str) -> None:
    grey = PIL.Image.fromarray(PIXELS[:, :, 0])
    image = (
        PIL.Image.new(mode, (8, 6)) if mode == "I;16" else grey.convert("RGB" if mode == "HSV" else "L").convert(mode)
    )
    loaded = load_image(image)
    assert isinstance(loaded, bytes)
    with opened(loaded) as sent:
        assert sent.size == (8, 6)


def test_transparency_is_kept_for_the_service_to_see() -> None:
    image = PIL.Image.fromarray(PIXELS)
    image.info["transparency"] = (0, 0, 0)
    loaded = load_image(image)
    assert isinstance(loaded, bytes)
    with opened(loaded) as sent:
        assert sent.info["transparency"] == (0, 0, 0)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 4), (0, 8, 3), (1, 6, 8, 3)])
def test_arrays_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"uint8 \[height, width, 3\]") as caught:
        load_image(np.zeros(shape, np.uint8))
    assert caught.value.field == "image"


def test_arrays_of_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        load_image(np.zeros((6, 8, 3)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        (np.zeros((6, 8, 3)), "255 * image"),
        (np.zeros((3, 6, 8), np.uint8), "moveaxis"),
        (np.zeros((3, 6, 8), np.float32), "moveaxis"),
        (np.zeros((1, 6, 8), np.bool_), "moveaxis"),
        (np.zeros((1, 6, 8, 3), np.uint8), "one by one"),
        (np.zeros((6, 8), np.uint8), "fromarray"),
        (np.zeros((6, 8), np.uint16), "fromarray"),
        (np.zeros((6, 8, 4), np.uint8), "fromarray"),
        (np.zeros((6, 8, 3), np.uint16), "not uint16"),
        (np.zeros((6, 8), np.bool_), "not bool"),
        (np.zeros((6, 8, 2), np.int64), "not int64"),
    ],
)
def test_the_error_tells_what_probably_is_to_be_done(image: Any, hint: str) -> None:
    with pytest.raises(InvalidRequest, match=r"uint8 \[height, width, 3\]") as caught:
        load_image(image)
    assert hint in str(caught.value)


@pytest.mark.parametrize("image", [None, 7, [[1, 2, 3]]])
def test_other_things_are_refused(image: Any) -> None:
    with pytest.raises(TypeError, match="an image is a path"):
        load_image(image)


def test_raw_frames_need_grpc() -> None:
    frame = RawFrame("nv12", 2, 2, b"123456")
    assert load_image(frame) == frame
    with pytest.raises(InvalidRequest, match="gRPC"):
        to_file(frame)


def test_raw_frames_have_bytes_and_whole_numbers() -> None:
    """Whichever they were made with; so no transport meets what it can't write."""
    data: Any = PIXELS
    frame = RawFrame("rgb24", np.int64(8), 6, data)  # type: ignore[arg-type]
    assert load_image(frame) == RawFrame("rgb24", 8, 6, PIXELS.tobytes())
    for name, value in (("data", "text"), ("data", None), ("width", 8.0), ("height", -1), ("stride", 2**40)):
        with pytest.raises(InvalidRequest, match=rf"raw_frame\.{name}") as caught:
            load_image(replace(frame, **{name: value}))  # type: ignore[arg-type]
        assert (caught.value.field, caught.value.reason) == (f"raw_frame.{name}", "INVALID_REQUEST")


def test_images_without_pixels_and_urls_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="the image has no pixels: 0 x 4"):
        load_image(PIL.Image.new("L", (0, 4)))
    with pytest.raises(FileNotFoundError, match=r"https://a\.b/c\.jpg is a URL, and none is fetched"):
        load_image("https://a.b/c.jpg")
    with pytest.raises(TypeError, match=r"not Tensor; numpy\.asarray\(image\) makes an array of it"):
        load_image(torch.zeros(2, 2, 3))  # type: ignore[arg-type]


def test_files_are_rotated_upright_for_drawing() -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, "PNG", exif=exif)
    assert to_upright_rgb(file.getvalue()).shape == (8, 6, 3)
    assert to_upright_rgb(PIL.Image.fromarray(PIXELS)).shape == (6, 8, 3)
    assert to_upright_rgb(PIXELS) is PIXELS
    with pytest.raises(TypeError, match="raw frame"):
        to_upright_rgb(RawFrame("nv12", 2, 2, b"123456"))
