"""Mattes, transparency and other backgrounds are made of the masks, with edges that are soft by a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hiseg.core.box import Box
from hiseg.core.command_errors import CommandError
from hiseg.core.result import CropMask, Instance
from hiseg.video.looks import Look, Style, blurred, cover, opacity, parse_style

HEIGHT, WIDTH = 60, 80
PERSON = Instance(Box(20, 10, 40, 50), CropMask(20, 10, np.ones((40, 20), dtype=np.bool_)), 0.9)
FRAME = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
INSIDE, OUTSIDE = (slice(11, 49), slice(21, 39)), (slice(None), slice(42, None))


def test_a_matte_is_white_where_people_are() -> None:
    matte = Style(Look.MATTE).draw(FRAME, [PERSON], [])
    assert matte.shape == (HEIGHT, WIDTH)
    assert (matte[INSIDE] == 255).all()
    assert (matte[OUTSIDE] == 0).all()
    assert 128 <= matte[30, 20] < 255, "half a pixel on both sides of the edge"
    assert 0 < matte[30, 19] <= 128
    assert not Style(Look.MATTE).draw(FRAME, [], []).any()


def test_transparency_keeps_peoples_colours_and_hides_the_rest() -> None:
    drawn = Style(Look.ALPHA).draw(FRAME, [PERSON], [])
    np.testing.assert_array_equal(drawn[INSIDE][:, :, :3], FRAME[INSIDE])
    np.testing.assert_array_equal(drawn[:, :, 3], opacity([PERSON], HEIGHT, WIDTH))
    assert not drawn[:, 60:].any()


def test_people_stand_over_a_colour_or_a_picture() -> None:
    for style in (parse_style(None, "#00ff00"), parse_style(Look.CUTOUT, "lime")):
        drawn = style.draw(FRAME, [PERSON], [])
        np.testing.assert_array_equal(drawn[INSIDE], FRAME[INSIDE])
        assert (drawn[OUTSIDE] == (0, 255, 0)).all()


def test_a_picture_covers_the_frame_and_keeps_its_proportions(tmp_path: Path) -> None:
    picture = np.zeros((100, 400, 3), dtype=np.uint8)
    picture[:, 200:] = 255
    path = tmp_path / "wide.png"
    PIL.Image.fromarray(picture).save(path)
    drawn = parse_style(None, str(path)).draw(FRAME, [], [])
    assert drawn.shape == FRAME.shape
    assert (drawn[:, :39] == 0).all()
    assert (drawn[:, 41:] == 255).all()
    assert cover(picture, 7, 5).shape == (7, 5, 3)


def test_a_blurred_background_has_no_halo_of_the_people() -> None:
    frame = np.full((HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    frame[10:50, 20:40] = 255
    alpha = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    alpha[8:52, 16:44] = 255
    behind = blurred(frame, alpha)
    assert abs(int(behind[:, 46:].max()) - 40) < 12
    drawn = parse_style(None, "blur").draw(FRAME, [PERSON], [])
    np.testing.assert_array_equal(drawn[INSIDE], FRAME[INSIDE])
    assert drawn[OUTSIDE].std() < FRAME[OUTSIDE].std() / 2
    assert blurred(frame, np.full_like(alpha, 255)).shape == frame.shape


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(CommandError, match="needs --background"):
        parse_style(Look.CUTOUT, None)
    with pytest.raises(CommandError, match="not for alpha"):
        parse_style(Look.ALPHA, "blur")
