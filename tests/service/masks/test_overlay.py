"""Pictures with masks drawn on them."""

from __future__ import annotations

import numpy as np

from service.domain import Box, CropMask, Instance
from service.masks.overlay import colour, overlay


def test_only_the_person_is_tinted() -> None:
    pixels = np.full((60, 80, 3), 100, dtype=np.uint8)
    mask = CropMask(20, 10, np.ones((30, 20), dtype=np.bool_))
    drawn = overlay(pixels, [Instance(Box(15, 5, 50, 55), mask, 0.9)])
    assert (pixels == 100).all(), "the picture itself must stay as it is"
    assert (drawn[25, 30] != 100).any()
    assert (drawn[25, 45] == 100).all(), "inside the box, outside the mask"
    assert (drawn[58] == 100).all()
    assert (drawn[5, 15:50] == colour(0)).all(), "the box"


def test_empty_masks_are_drawn_as_their_box() -> None:
    pixels = np.zeros((20, 20, 3), dtype=np.uint8)
    drawn = overlay(pixels, [Instance(Box(2, 2, 18, 18), CropMask.empty(), 0.0)])
    assert drawn.any()


def test_fifty_people_have_fifty_colours() -> None:
    colours = {colour(index) for index in range(50)}
    assert len(colours) == 50
