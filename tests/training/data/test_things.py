"""Animals and things to paste are what is outlined and no person."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.core.coco_file import AnnotationError
from hiseg_training.data.things import read_things
from tests.training.data.test_coco import row, write


def test_all_but_people_are_read(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "Person"}, {"id": 2, "name": "dog"}, {"id": 3}]
    rows = [row(1), row(2, category_id=2), row(3, category_id=3, bbox=[5, 10, 20, 20], segmentation=None)]
    (photo,) = read_things(write(tmp_path, rows, categories), tmp_path)
    assert [thing.rle is not None for thing in photo.people] == [True, False]
    (photo,) = read_things(write(tmp_path, rows, categories), tmp_path, people=["dog", "person"])
    assert len(photo.people) == 1


def test_a_file_of_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no category besides person"):
        read_things(write(tmp_path, [row()]), tmp_path)


def test_the_shared_animals_are_read(data: Path) -> None:
    photos = read_things(data / "annotations" / "nobody_animals.json", data / "images" / "nobody")
    assert sum(len(photo.people) for photo in photos) == 1125
