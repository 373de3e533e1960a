"""Any COCO file is read: every form of a mask, any number for "person", boxes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hiseg.core.coco_file import AnnotationError
from hiseg_training.data.coco import SOMEBODY, images_beside, read_annotations, read_people, read_split
from tests.training.drawing import annotation

SQUARE = np.zeros((40, 50), dtype=np.bool_)
SQUARE[10:30, 5:25] = True
FORMS = {
    "polygon": [[5, 10, 25, 10, 25, 30, 5, 30]],
    "two polygons": [[5, 10, 25, 10, 25, 20, 5, 20], [5, 20, 25, 20, 25, 30, 5, 30]],
    "run lengths": {"size": [40, 50], "counts": [5 * 40 + 10, *[20, 20] * 19, 20, 25 * 40 + 10]},
    "compressed run lengths": annotation(1, 1, SQUARE)["segmentation"],
}


def write(folder: Path, rows: list[dict[str, Any]], categories: list[dict[str, Any]] | None = None) -> Path:
    """A file about one image of 50 x 40, which is there too."""
    cv2.imwrite(str(folder / "a.png"), np.full((40, 50, 3), 9, dtype=np.uint8))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 50, "height": 40}],
        "annotations": rows,
        "categories": categories if categories is not None else [{"id": 1, "name": "person"}],
    }
    path = folder / "some.json"
    path.write_text(json.dumps(content))
    return path


def row(number: int = 1, **changes: Any) -> dict[str, Any]:
    return annotation(number, 7, SQUARE) | changes


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_mask(tmp_path: Path, form: str) -> None:
    (photo,) = read_annotations(write(tmp_path, [row(segmentation=FORMS[form])]), tmp_path)
    np.testing.assert_array_equal(photo.people[0].mask(), SQUARE)
    np.testing.assert_array_equal(photo.identities(), SQUARE)
    assert photo.pixels().shape == (40, 50, 3)


def test_what_the_file_does_not_say_has_a_sensible_value(tmp_path: Path) -> None:
    (photo,) = read_annotations(write(tmp_path, [row()]), tmp_path)
    assert (photo.source, photo.exhaustive, photo.outlined) == ("some", True, True)


def test_the_person_category_is_found_by_name_and_crowds_are_left_out(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "bicycle"}, {"id": 33, "name": "Person"}]
    rows = [row(1), row(2, category_id=33), row(3, category_id=33, iscrowd=1)]
    (photo,) = read_annotations(write(tmp_path, rows, categories), tmp_path)
    assert len(photo.people) == 1
    assert not photo.exhaustive


def test_annotations_without_masks_are_read(tmp_path: Path) -> None:
    boxed = row()
    del boxed["segmentation"]
    (photo,) = read_annotations(write(tmp_path, [boxed]), tmp_path)
    assert not photo.outlined
    assert not photo.identities().any()
    with pytest.raises(ValueError, match="no outline"):
        photo.people[0].mask()


def test_the_shared_boxes_are_read(data: Path) -> None:
    photos = read_annotations(data / "annotations" / "boxes_unlabeled.json", data / "images" / "unlabeled")
    assert len(photos) == 1243
    assert not any(photo.outlined for photo in photos)


def test_more_people_than_a_byte_has_numbers(tmp_path: Path) -> None:
    rows = [row(number) for number in range(1, 300)]
    (photo,) = read_annotations(write(tmp_path, rows), tmp_path)
    assert len(photo.people) == 299
    assert photo.identities().max() == SOMEBODY


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    annotations = write(tmp_path, [row()])
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        read_annotations(annotations, tmp_path)


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    annotations = write(tmp_path, [row()])
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((50, 40, 3), dtype=np.uint8))
    said = r"some\.json: .*a\.png is 40 x 50, its annotations say 50 x 40"
    with pytest.raises(AnnotationError, match=said):
        read_annotations(annotations, tmp_path)
    (photo,) = read_people(annotations, tmp_path)
    with pytest.raises(AnnotationError, match=r"a\.png is 40 x 50, its annotations say 50 x 40"):
        photo.pixels()


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ("[]", "images and annotations")])
def test_what_is_no_coco_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=said):
        read_annotations(path, tmp_path)


def test_a_file_without_persons_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="'cat'"):
        read_annotations(write(tmp_path, [], [{"id": 1, "name": "cat"}]), tmp_path)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="HISEG_DATA"):
        read_split(tmp_path, "train")


@pytest.mark.parametrize(
    "place", ["images/val2017", "val2017", "annotations/val2017", "annotations/images", "images", "annotations"]
)
def test_images_are_found_where_tools_put_them(tmp_path: Path, place: str) -> None:
    annotations = tmp_path / "annotations" / "instances_val2017.json"
    annotations.parent.mkdir()
    with pytest.raises(FileNotFoundError, match="where the images of"):
        images_beside(annotations)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "a.JPG").touch()
    assert images_beside(annotations) == tmp_path / place


def test_outlines_of_some_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    bare = row(1, segmentation=None, area=400)
    boxes = write(tmp_path, [bare, row(2, segmentation=None, bbox=[30, 5, 15, 30])])
    outlines = tmp_path / "partial.json"
    rows = [row(9, box_id=1, area=399)]
    outlines.write_text(json.dumps({"images": [], "annotations": rows, "categories": []}))
    (photo,) = read_annotations(boxes, tmp_path, outlines=outlines)
    first, second = photo.people
    np.testing.assert_array_equal(first.mask(), SQUARE)
    assert first.area == 399
    assert second.rle is None
    assert not photo.outlined
    assert not photo.exhaustive


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"annotations\[1\] \(id 9\).*box_id"),
        ({"box_id": 7}, "box_id is 7, which no annotation of .*some.json has"),
        ({"box_id": [1]}, "box_id"),
        ({"box_id": 2, "image_id": 8}, "image_id is 8, but box 2 is in another image"),
        ({"box_id": 2, "segmentation": []}, "has no segmentation"),
        ({"box_id": 1}, "box_id is 1, which an annotation before it outlines"),
    ],
)
def test_an_outline_that_fits_no_box_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    boxes = write(tmp_path, [row(number, segmentation=None) for number in (1, 2)])
    outlines = tmp_path / "partial.json"
    rows = [row(8, box_id=1), row(9, **changes)]
    outlines.write_text(json.dumps({"images": [], "annotations": rows, "categories": []}))
    with pytest.raises(AnnotationError, match=said):
        read_annotations(boxes, tmp_path, outlines=outlines)


def test_the_shared_partial_outlines_are_read(data: Path) -> None:
    folder = data / "annotations"
    outlines = folder / "instances_unlabeled_partial.json"
    photos = read_annotations(folder / "boxes_unlabeled.json", data / "images" / "unlabeled", outlines=outlines)
    assert sum(person.rle is not None for photo in photos for person in photo.people) == 1239
