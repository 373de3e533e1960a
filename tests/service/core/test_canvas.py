"""Images are placed on canvases, and boxes follow them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.canvas import Placement, Resize, choose_canvas, to_canvas

CANVASES = ((640, 640), (480, 640), (640, 480), (384, 640), (640, 384))


@pytest.mark.parametrize(
    ("height", "width", "canvas"),
    [
        (720, 1280, (384, 640)),
        (1080, 1920, (384, 640)),
        (768, 1366, (384, 640)),
        (480, 640, (480, 640)),
        (427, 640, (480, 640)),
        (3024, 4032, (480, 640)),
        (4032, 3024, (640, 480)),
        (1280, 720, (640, 384)),
        (500, 500, (640, 640)),
        (10, 4000, (384, 640)),
        (1, 1, (640, 640)),
    ],
)
def test_smallest_canvas_that_fits(height: int, width: int, canvas: tuple[int, int]) -> None:
    assert choose_canvas(height, width, CANVASES).canvas == canvas


def test_an_empty_list_of_canvases_is_refused() -> None:
    with pytest.raises(ValueError, match="no canvas"):
        choose_canvas(10, 10, ())


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_content_fits_and_keeps_the_shape(height: int, width: int) -> None:
    placement = choose_canvas(height, width, CANVASES)
    content_h, content_w = placement.content
    assert 1 <= content_h <= placement.canvas[0]
    assert 1 <= content_w <= placement.canvas[1]
    # Rounded to whole pixels and at least one, so up to a pixel may be off on either side.
    assert abs(content_h - content_w * height / width) <= 1 + height / width


def test_rois_follow_the_image() -> None:
    placement = choose_canvas(1080, 1920, CANVASES)
    assert placement.content == (360, 640)
    rois = placement.rois([Box(0, 0, 1920, 1080), Box(960, 540, 1920, 1080)])
    np.testing.assert_allclose(rois, [[0, 0, 1, 360 / 384], [0.5, 180 / 384, 1, 360 / 384]], rtol=1e-6)
    assert rois.dtype == np.float32
    assert placement.rois([]).shape == (0, 4)


def test_stretched_images_fill_the_canvas() -> None:
    placement = choose_canvas(100, 400, ((640, 640),), Resize.STRETCH)
    assert placement.content == (640, 640)
    np.testing.assert_allclose(placement.rois([Box(100, 25, 400, 100)]), [[0.25, 0.25, 1, 1]])


@pytest.mark.parametrize(("height", "width"), [(100, 200), (2160, 3840), (360, 640)])
def test_canvas_holds_the_image_and_black(height: int, width: int) -> None:
    placement = choose_canvas(height, width, CANVASES)
    canvas = to_canvas(np.full((height, width, 3), (10, 20, 30), dtype=np.uint8), placement)
    content_h, content_w = placement.content
    assert canvas.shape == (3, *placement.canvas)
    assert (canvas[:, :content_h, :content_w] == np.array([10, 20, 30])[:, None, None]).all()
    assert not canvas[:, content_h:].any()
    assert not canvas[:, :, content_w:].any()


@given(st.integers(1, 70), st.integers(1, 70))
def test_pixels_stay_where_they_are(height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    placement = Placement(canvas=(70, 70), content=(height, width), image=(height, width))
    expected = np.zeros((3, 70, 70), dtype=np.uint8)
    expected[:, :height, :width] = pixels.transpose(2, 0, 1)
    flipped = np.ascontiguousarray(pixels[::-1, ::-1])[::-1, ::-1]
    for layout in (pixels, np.asfortranarray(pixels), flipped):
        np.testing.assert_array_equal(to_canvas(layout, placement), expected)
