"""Crops show who they are about, where that person is, and what nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from hiseg.core.image import Pixels
from hiseg_training.config.model import BACKGROUND, OTHER, TARGET, UNKNOWN
from hiseg_training.crops.cut import LEAST_PIXELS, REGION, Crop, cut_photo
from hiseg_training.data.person import Person
from tests.training.crops.photos import HEIGHT, WIDTH, ground, person, photo, rectangle

SIZE = (64, 48)
LARGE, FRONT = rectangle(40, 20, 90, 100), rectangle(70, 40, 100, 80)


def cut(path: Path, *people: Person, annotated: bool = False, guess: Pixels | None = None) -> list[Crop]:
    pixels = ground()
    pixels[LARGE], pixels[FRONT] = (200, 0, 0), (0, 200, 0)
    return list(cut_photo(photo(path / "a.png", pixels, *people, guess=guess), SIZE, annotated))


def test_the_target_is_what_is_visible(tmp_path: Path) -> None:
    behind, front = cut(tmp_path, person(LARGE), person(FRONT))
    for crop, colour, other in ((behind, 0, 1), (front, 1, 0)):
        assert crop.pixels[crop.labels == TARGET][:, colour].mean() > 185
        assert crop.pixels[crop.labels == OTHER][:, other].mean() > 185
        assert set(np.unique(crop.labels)) == {BACKGROUND, TARGET, OTHER}


@pytest.mark.parametrize("annotated", [True, False])
def test_boxes_lie_where_the_people_are(tmp_path: Path, annotated: bool) -> None:
    behind, front = cut(tmp_path, person(LARGE), person(FRONT), annotated=annotated)
    for crop, mask in ((behind, LARGE), (front, FRONT)):
        rows, columns = np.nonzero(crop.labels == TARGET)
        np.testing.assert_allclose(crop.box, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=1)
        sides = (crop.box[2:] - crop.box[:2]) * crop.scale
        height, width = np.ptp(np.nonzero(mask), axis=1) + 1
        np.testing.assert_allclose(sides, [width, height], atol=0.01)
        assert crop.others.shape == (1, 4)
        there = np.zeros(SIZE, dtype=bool)
        x1, y1, x2, y2 = np.clip(np.round(crop.others[0]), 0, max(SIZE)).astype(int)
        there[y1:y2, x1:x2] = True
        assert there[crop.labels == OTHER].mean() > 0.95
        frame = (crop.frame[2:] - crop.frame[:2]) * crop.scale
        np.testing.assert_allclose(frame, [WIDTH, HEIGHT], rtol=1e-4)


def test_a_crop_is_as_much_larger_than_the_box_on_each_side_and_black_outside_the_photo(tmp_path: Path) -> None:
    corner = rectangle(0, 0, 40, 60)
    (crop,) = cut(tmp_path, person(corner))
    np.testing.assert_allclose(crop.scale * SIZE[::-1], np.array([40, 60]) * REGION, atol=1.01)
    x, y = np.round(crop.frame[:2]).astype(int)
    assert min(x, y) > 0
    assert not crop.pixels[: y - 1].any()
    assert not crop.pixels[:, : x - 1].any()
    assert not crop.labels[: y - 1].any()


EMPTY = replace(person(LARGE), rle=coco_mask.encode(np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order="F")))


@pytest.mark.parametrize("boxed", [person(LARGE, outlined=False), EMPTY], ids=["no outline", "an empty outline"])
def test_nothing_is_known_in_the_boxes_of_people_without_outlines_but_the_target(tmp_path: Path, boxed: Person) -> None:
    (crop,) = cut(tmp_path, person(FRONT), boxed)
    np.testing.assert_array_equal(crop.pixels[crop.labels == TARGET].mean(0) > 150, [False, True, False])
    assert (crop.labels == UNKNOWN).any()
    assert not (crop.labels == OTHER).any()
    assert crop.pixels[crop.labels == UNKNOWN][:, 0].mean() > 185
    assert len(crop.others) == 1


def test_nothing_is_known_where_a_model_is_unsure(tmp_path: Path) -> None:
    guess = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    guess[LARGE] = 255
    guess[:, 85:95] = 128
    (crop,) = cut(tmp_path, person(LARGE), guess=guess)
    columns = np.flatnonzero((crop.labels == UNKNOWN).any(axis=0))
    x1, _, x2, _ = crop.box
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [x2 - 0.1 * (x2 - x1), x2 + 0.1 * (x2 - x1)], atol=1)
    assert (crop.labels == TARGET).any()


def test_who_is_too_small_or_hidden_is_left_out_of_learning_and_not_of_measuring(tmp_path: Path) -> None:
    side = int(LEAST_PIXELS**0.5)
    small = person(rectangle(10, 10, 10 + side, 10 + side))
    hidden = person(rectangle(75, 45, 95, 75))
    wide = person(rectangle(70, 40, 100, 81))
    assert [int(c.scale[1] * SIZE[0] / REGION) for c in cut(tmp_path, small, wide, hidden)] == [41, 30]
    assert len(cut(tmp_path, small, wide, hidden, annotated=True)) == 3


def test_a_photo_of_boxes_alone_is_not_opened(tmp_path: Path) -> None:
    someone = photo(tmp_path / "a.png", ground(), person(LARGE, outlined=False))
    someone.path.unlink()
    assert not list(cut_photo(someone))
