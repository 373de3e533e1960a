"""Photos of nobody that are measured on are never learnt from."""

from __future__ import annotations

from pathlib import Path

from hiseg_training.data.coco import Photo
from hiseg_training.engine.finder_loaders import HELD_OUT, hold_out


def nobody(count: int) -> list[Photo]:
    return [Photo(Path(f"{number}.jpg"), 100, 100, "drawn", True, ()) for number in range(count)]


def test_the_same_photos_are_held_out_in_any_order() -> None:
    photos = nobody(1100)
    learnt, measured = hold_out(photos)
    assert len(measured) == HELD_OUT
    assert {photo.path for photo in learnt} | {photo.path for photo in measured} == {photo.path for photo in photos}
    assert hold_out(photos[::-1])[1] == measured


def test_of_few_photos_a_fifth_is() -> None:
    learnt, measured = hold_out(nobody(10))
    assert (len(learnt), len(measured)) == (8, 2)
    assert hold_out([]) == ([], [])
