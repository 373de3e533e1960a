"""How far apart the colours are, by a library of colour science, for eyes of three kinds."""

from __future__ import annotations

import itertools

import pytest
from coloraide import Color

from hiseg.masks.formats.palette import COLOURS, PALETTE, colour, is_light

SIGHTS = (None, "protan", "deutan")


def seen(text: str, sight: str | None) -> Color:
    """A colour as it looks without red cones, without green ones, or with all."""
    as_is = Color(text)
    return as_is if sight is None else as_is.filter(sight, method="machado").clip("srgb")


LEAST = {2: 50, 4: 28, 6: 20, 8: 16, 10: 14, 16: 10, 30: 6.5, 50: 5}
"""Of the first so many colours any two differ by so much: CIEDE2000, where 2 is just noticed side by side."""


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_first_so_many_are_so_far_apart(sight: str | None) -> None:
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
