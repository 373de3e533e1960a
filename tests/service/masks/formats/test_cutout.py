"""Cut-outs contain the person's pixels and are transparent elsewhere."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image

from hiseg.core.image import Image
from hiseg.core.result import CropMask
from hiseg.masks.formats.cutout import cutout, cutouts
from hiseg.masks.formats.png import encode_png

PIXELS = np.random.default_rng(0).integers(1, 255, (20, 30, 3), dtype=np.uint8)
TRIANGLE = CropMask(4, 3, np.tri(8, 10, dtype=np.bool_))
SQUARE = CropMask(8, 5, np.ones((6, 6), dtype=np.bool_))


def test_the_person_is_opaque_and_nothing_else_is_left() -> None:
    found = cutout(Image(PIXELS), TRIANGLE)
    np.testing.assert_array_equal(found[:, :, 3], TRIANGLE.pixels * np.uint8(255))
    np.testing.assert_array_equal(found[TRIANGLE.pixels, :3], PIXELS[3:11, 4:14][TRIANGLE.pixels])
    assert not found[~TRIANGLE.pixels].any()


def test_everybody_stays_in_place_where_masks_meet_too() -> None:
    found = cutouts(Image(PIXELS), [TRIANGLE, CropMask.empty(), SQUARE])
    anybody = np.zeros((20, 30), np.bool_)
    anybody[3:11, 4:14] |= TRIANGLE.pixels
    anybody[5:11, 8:14] |= SQUARE.pixels
    np.testing.assert_array_equal(found[:, :, 3], anybody * np.uint8(255))
    np.testing.assert_array_equal(found[anybody, :3], PIXELS[anybody])
    assert not found[~anybody].any()


def test_png_keeps_colours_and_transparency() -> None:
    found = cutout(Image(PIXELS), TRIANGLE)
    with PIL.Image.open(io.BytesIO(encode_png(found))) as picture:
        assert picture.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(picture), found)


def test_what_was_transparent_stays_so_in_its_own_colours() -> None:
    own = PIL.Image.fromarray(PIXELS).convert("RGBA")
    alpha = np.random.default_rng(1).integers(0, 256, PIXELS.shape[:2], dtype=np.uint8)
    alpha[5, 9] = 0
    own.putalpha(PIL.Image.fromarray(alpha))
    white = PIL.Image.new("RGBA", own.size, "white")
    white.alpha_composite(own)
    for found in (
        cutout(Image(np.asarray(white.convert("RGB")), alpha=alpha), SQUARE),
        cutouts(Image(np.asarray(white.convert("RGB")), alpha=alpha), [SQUARE])[SQUARE.region],
    ):
        np.testing.assert_array_equal(found[..., 3], alpha[SQUARE.region])
        assert not found[0, 1].any()
        shown = PIL.Image.new("RGBA", found.shape[1::-1], (0, 60, 120, 255))
        expected = shown.copy()
        shown.alpha_composite(PIL.Image.fromarray(np.ascontiguousarray(found)))
        expected.alpha_composite(PIL.Image.fromarray(np.ascontiguousarray(np.asarray(own)[SQUARE.region])))
        assert np.abs(np.asarray(shown).astype(int) - np.asarray(expected)).max() <= 1, "on any other ground"
