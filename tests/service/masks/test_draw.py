"""The steps from logits to instances are applied in the right order."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg.core.box import Box
from hiseg.core.errors import TooLarge
from hiseg.core.job import PostProcessing, Smoothing
from hiseg.masks.draw import MAX_MASK_PIXELS, draw_masks, measure_crops
from tests.service.masks.crops import full_size

WIDTH, HEIGHT = 80, 60
BOXES = [Box(10, 10, 40, 50), Box(5, 5, 5, 5), Box(30.5, 12, 60, 50)]
MARGINS = [np.full((16, 12), 2, np.float32), np.full((16, 12), 1, np.float32)]


def areas(finish: PostProcessing) -> list[int]:
    return [found.area for found in draw_masks(MARGINS, BOXES, WIDTH, HEIGHT, finish)]


def test_one_instance_per_box_also_when_empty() -> None:
    found = draw_masks(MARGINS, BOXES, WIDTH, HEIGHT, PostProcessing())
    assert [each.box for each in found] == BOXES
    assert [each.area for each in found] == [30 * 40, 0, 30 * 38]
    assert [round(each.score, 3) for each in found] == [0.881, 0.0, 0.731]


def test_a_mask_may_be_larger_than_its_box() -> None:
    found = draw_masks(MARGINS, BOXES, WIDTH, HEIGHT, PostProcessing(), crop_scale=1.2)
    assert [each.box for each in found] == BOXES
    assert [(each.mask.left, each.mask.top, *each.mask.pixels.shape[::-1]) for each in found] == [
        (7, 6, 36, 48),
        (0, 0, 0, 0),
        (27, 8, 36, 46),
    ]
    places = [box.scaled(1.2) for box in BOXES if not box.is_empty]
    assert measure_crops(places, WIDTH, HEIGHT, PostProcessing()).pixels == sum(each.mask.pixels.size for each in found)


def test_masks_beyond_their_boxes_are_clipped_to_the_image() -> None:
    (found,) = draw_masks(MARGINS[:1], [Box(0, 0, WIDTH, HEIGHT)], WIDTH, HEIGHT, PostProcessing(), crop_scale=1.5)
    assert (found.mask.left, found.mask.top, found.area) == (0, 0, WIDTH * HEIGHT)


def test_the_surer_one_keeps_what_both_claim_after_growing() -> None:
    found = draw_masks(MARGINS, BOXES, WIDTH, HEIGHT, PostProcessing(dilation_px=4, resolve_overlaps=True))
    masks = np.array([full_size(each.mask, WIDTH, HEIGHT) for each in found])
    assert masks.sum(axis=0).max() == 1
    assert masks[0][10:50, 10:40].all(), "it is the surer one"
    assert masks[2][12:50, 40:60].all()
    assert masks[2].sum() > 20 * 38, "it has grown"


def test_a_mask_that_loses_every_pixel_has_score_0() -> None:
    boxes = [Box(10, 10, 40, 50), Box(15, 15, 30, 40)]
    found = draw_masks(MARGINS, boxes, WIDTH, HEIGHT, PostProcessing(resolve_overlaps=True))
    assert (found[1].area, found[1].score) == (0, 0.0)


@pytest.mark.parametrize("how", list(Smoothing))
def test_smoothing_comes_before_the_threshold(how: Smoothing) -> None:
    speck = np.full((16, 12), -3, np.float32)
    speck[8, 6] = 3
    (found,) = draw_masks([speck], [Box(0, 0, 12, 16)], WIDTH, HEIGHT, PostProcessing(how))
    assert found.area == (0 if how is Smoothing.EDGE else 1)


@pytest.mark.parametrize("dilation_px", [0, 4])
def test_the_pixels_that_masks_will_take_are_known_before_they_are_drawn(dilation_px: int) -> None:
    finish = PostProcessing(dilation_px=dilation_px)
    drawn = sum(found.mask.pixels.size for found in draw_masks(MARGINS, BOXES, WIDTH, HEIGHT, finish))
    assert measure_crops([box for box in BOXES if not box.is_empty], WIDTH, HEIGHT, finish).pixels == drawn


def test_a_hundred_boxes_over_a_whole_huge_image_are_refused() -> None:
    whole = Box(0, 0, 8000, 6000)
    with pytest.raises(TooLarge) as raised:
        measure_crops([whole] * 100, 8000, 6000, PostProcessing())
    assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", MAX_MASK_PIXELS, 48_000_000 * 100)
