"""Overlays tint the people, and their colours differ for normal, protan and deutan sight."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from coloraide import Color

from hiseg.core.box import Box
from hiseg.core.result import CropMask, Instance
from hiseg.masks.formats.overlay import COLOURS, PALETTE, LineSizes, Mark, colour, is_light, overlay

SIGHTS = (None, "protan", "deutan")


def test_only_the_person_is_tinted() -> None:
    pixels = np.full((60, 80, 3), 100, dtype=np.uint8)
    mask = CropMask(20, 10, np.ones((30, 20), dtype=np.bool_))
    drawn = overlay(pixels, [Instance(Box(15, 5, 50, 55), mask, 0.9)])
    assert (pixels == 100).all(), "the picture itself must stay as it is"
    assert (drawn[25, 30] != 100).any()
    assert (drawn[25, 45] == 100).all(), "inside the box, outside the mask"
    assert (drawn[58] == 100).all()
    assert (drawn[5, 15:50] == colour(0)).all(), "the box"


@pytest.mark.parametrize(
    ("height", "width", "outline_width", "digit_height"),
    [(480, 640, 1, 8), (8000, 6000, 16, 89), (1000, 10_000, 20, 111), (100_000, 20, 1, 8), (20, 100_000, 1, 8)],
)
def test_lines_suit_the_longer_side_but_not_that_of_a_strip(
    height: int, width: int, outline_width: int, digit_height: int
) -> None:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    assert LineSizes.for_image(pixels) == LineSizes(outline_width, digit_height)
    ragged = np.ones((height, width), dtype=np.bool_)
    ragged[::2, : width // 2] = False
    if min(height, width) == 20:  # with lines of 200 pixels it would take minutes
        assert overlay(pixels, [Instance(Box(0, 0, width, height), CropMask(0, 0, ragged), 0.9)]).any()


def test_empty_masks_are_drawn_as_their_box() -> None:
    pixels = np.zeros((20, 20, 3), dtype=np.uint8)
    drawn = overlay(pixels, [Instance(Box(2, 2, 18, 18), CropMask.empty(), 0.0)])
    assert drawn.any()


def squares(count: int) -> list[Instance]:
    """Squares of 20 pixels in a row, 30 apart, each in a box 4 larger on all sides."""
    return [
        Instance(Box(26 + 30 * k, 26, 54 + 30 * k, 54), CropMask(30 + 30 * k, 30, np.ones((20, 20), np.bool_)), 0.9)
        for k in range(count)
    ]


def test_each_person_has_a_colour_of_their_own() -> None:
    drawn = overlay(np.zeros((80, 1540, 3), dtype=np.uint8), squares(50))
    assert len({tuple(drawn[40, 40 + 30 * k]) for k in range(50)}) == 50


def test_several_people_are_numbered_one_alone_is_not() -> None:
    pixels = np.zeros((80, 200, 3), dtype=np.uint8)
    one, two = (overlay(pixels, squares(count)) for count in (1, 2))
    assert not one[:25].any()
    patch = two[12:25, 26:40].reshape(-1, 3)
    assert (patch == colour(0)).all(axis=1).sum() > 50
    assert (patch != colour(0)).any(axis=1).any(), "a digit"


def test_marks_decide_colours_and_names() -> None:
    pixels = np.zeros((80, 200, 3), dtype=np.uint8)
    alone, numbered = overlay(pixels, squares(2)[1:], marks=[Mark("2", 1)]), overlay(pixels, squares(2))
    np.testing.assert_array_equal(alone[:, 55:], numbered[:, 55:])
    named = overlay(pixels, squares(1), marks=[Mark("Zoë is too long a name", 4)])
    assert (named[12:25, 26:40].reshape(-1, 3) == colour(4)).all(axis=1).sum() > 50
    assert not overlay(pixels, squares(1), marks=[Mark("", 0)])[:25].any()


def test_the_smaller_mask_lies_over_the_larger_one() -> None:
    small, large = (CropMask(30 - k, 30 - k, np.ones((10 + 2 * k, 10 + 2 * k), np.bool_)) for k in (0, 20))
    box = Box(0, 0, 0, 0)
    pixels = np.full((80, 80, 3), 90, dtype=np.uint8)
    for instances in (
        [Instance(box, small, 1), Instance(box, large, 1)],
        [Instance(box, large, 1), Instance(box, small, 1)],
    ):
        drawn = overlay(pixels, instances)
        first, second = (int(np.abs(drawn[35, 35].astype(int) - colour(k)).sum()) for k in (0, 1))
        assert (first < second) is (instances[0].mask is small)


def seen(text: str, sight: str | None) -> Color:
    """A colour as it looks without red cones, without green ones, or with all."""
    as_is = Color(text)
    return as_is if sight is None else as_is.filter(sight, method="machado").clip("srgb")


LEAST = {2: 50, 4: 28, 6: 20, 8: 16, 10: 14, 16: 10, 30: 6.5, 50: 5}
"""Of the first so many colours any two differ by so much: CIEDE2000, where 2 is just noticed side by side."""


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_first_colours_have_the_documented_distances(sight: str | None) -> None:
    colours = [seen(text, sight) for text in PALETTE]
    pairs = itertools.combinations(enumerate(colours), 2)
    apart = [(second, one.delta_e(other, method="2000")) for (_, one), (second, other) in pairs]
    for count, least in LEAST.items():
        assert min(difference for second, difference in apart if second < count) >= least, f"the first {count}"


def test_fifty_people_have_fifty_colours_and_then_it_begins_again() -> None:
    assert len({colour(index) for index in range(50)}) == 50
    assert colour(50) == colour(0) == COLOURS[0] == (230, 159, 0)
    assert PALETTE[0] == "#e69f00"


def test_numbers_can_be_read_on_their_colour() -> None:
    for text, rgb in zip(PALETTE, COLOURS, strict=True):
        ink = Color("black" if is_light(rgb) else "white")
        assert Color(text).contrast(ink, method="wcag21") >= 4.5, text
