"""Whose boxes get a mask, in files of many programs; what is left alone, what is told of, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hiseg.core.coco_file import AnnotationError
from hiseg.photos.coco_boxes import Document, read_document

PATH = Path("boxes.json")
BOX = [5, 10, 20, 20.5]


def image(number: Any = 7, **changes: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "width": 50, "height": 40} | changes


def person(number: Any = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": number, "image_id": 7, "category_id": 1, "bbox": BOX} | changes
    return {name: value for name, value in row.items() if value != "absent"}


def content(*people: Any, **changes: Any) -> dict[str, Any]:
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    return {"images": [image()], "annotations": list(people), "categories": categories} | changes


def places(document: Document) -> list[int]:
    return [one.place for photo in document.photos for one in photo.people]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (content(person(), person(2)), [0, 1]),
        (content(person(2, category_id=2), person()), [1]),
        (content(person(iscrowd=1), person(iscrowd="0"), person(iscrowd=True)), [1]),
        (content(person(image_id="7"), person(image_id=7.0)), [0, 1]),
        (content(person(), images=[{"id": 7, "coco_url": "http://x/val2017/7.jpg"}]), [0]),
        (content(person(), images=[image("7")]), [0]),
        (content(person(), images=[image(), image()]), [0]),
        (content(person(), person(), images=[image(1), image()]), [0, 1]),
        (content(person(bbox=[str(side) for side in BOX])), [0]),
        (content(person(), categories=[{"id": "1", "name": " Person "}]), [0]),
        (content(person(), categories={"1": "person"}), [0]),
        (content(person(category_id=9), person()), [1]),
        (content(person(segmentation=[[1, 2]], score=0.5, id="absent")), [0]),
    ],
)
def test_people_are_found_by_category_and_image(found: dict[str, Any], expected: list[int]) -> None:
    document = read_document(found, PATH)
    assert places(document) == expected
    assert not document.failures
    assert document.people == len(expected)
    assert all(one.box == BOX for photo in document.photos for one in photo.people)


@pytest.mark.parametrize("size", [{"width": 0, "height": None}, {"width": "", "height": "0"}])
def test_sizes_may_be_missing_and_photos_have_the_order_of_the_images(size: dict[str, Any]) -> None:
    images = [image(8, width="60", height=40.0), image(7, **size), image(9)]
    document = read_document(content(person(), person(image_id=8), images=images), PATH)
    assert [(photo.place, photo.name, photo.size) for photo in document.photos] == [
        (0, "8.jpg", (60, 40)),
        (1, "7.jpg", (0, 0)),
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (person(2, bbox="absent"), "7.jpg, annotations[1] (id 2): has no box of four numbers"),
        (person(2, bbox=[1, 2, 3]), "7.jpg, annotations[1] (id 2): has no box of four numbers"),
        (person(2, bbox=[1, 2, float("nan"), 4]), "bbox is nan, which is no number"),
        (person(2, bbox=[1, 2, 10**400, 4]), "which is no number"),
        (person(2, bbox=[1, 2, 0, 4]), "bbox is [1, 2, 0, 4], whose width or height isn't above 0"),
        (person(2, bbox=[1, 2, 5, -4]), "whose width or height isn't above 0"),
        (person(2, image_id=99), "annotations[1] (id 2): image_id is 99, which no image has"),
        (person(2, image_id="absent"), "annotations[1] (id 2): has no image_id"),
        (person(2, image_id=[7]), "annotations[1] (id 2): image_id is [7], which is no id"),
        (person(2, category_id="absent"), "annotations[1] (id 2): has no category_id"),
        (person(2, iscrowd="maybe"), "annotations[1] (id 2): iscrowd is 'maybe', which is neither 0 nor 1"),
        (["row"], "annotations[1]: is ['row'], not an object"),
        (None, "annotations[1]: is null, not an object"),
    ],
)
def test_one_annotation_that_is_not_understood_leaves_the_others(row: Any, told: str) -> None:
    document = read_document(content(person(), row), PATH)
    assert places(document) == [0]
    (failure,) = document.failures
    assert told in str(failure)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file_name": None}, "images[1] (id 8): has no file_name"),
        ({"file_name": "", "flickr_url": "http://x/8.jpg"}, "its flickr_url isn't fetched: download the photo"),
        ({"file_name": "\x1b[31m" + "8" * 500, "width": -1}, f"?[31m{'8' * 194}…: width is -1"),
        ({"width": "wide"}, "8.jpg: width is 'wide', which is no number"),
        ({"height": -4}, "8.jpg: height is -4, which is no size"),
    ],
)
def test_one_image_that_is_not_understood_leaves_the_others(changes: dict[str, Any], told: str) -> None:
    found = content(person(), person(image_id=8), images=[image(), image(8, **changes)])
    document = read_document(found, PATH)
    assert places(document) == [0]
    assert told in str(document.failures[0])


@pytest.mark.parametrize(
    ("categories", "wanted", "expected", "told"),
    [
        ([{"id": 1, "name": "person"}, {"id": 2, "name": "rider"}], ["person", "Rider"], [0, 1], ""),
        ([{"id": 1, "name": "pedestrian"}, {"id": 2, "name": "car"}], ["pedestrian"], [0], ""),
        ([{"id": 1, "name": "pedestrian"}, {"id": 2, "name": "car"}], ["1"], [0], ""),
        ([], ["1"], [0], ""),
        ([{"id": 1, "name": "person"}, {"id": 2, "name": "car"}], ["person", "van"], [0], "named 'van'"),
    ],
)
def test_categories_of_people_may_be_named(
    categories: list[dict[str, Any]], wanted: list[str], expected: list[int], told: str
) -> None:
    document = read_document(content(person(), person(category_id=2), categories=categories), PATH, wanted)
    assert places(document) == expected
    assert told in " ".join(document.notes)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (content(person(), categories=[{"id": 1, "name": "human"}]), "its only category, 'human', is taken for people"),
        (content(person(), categories=None), "boxes have no categories, so all are taken for people"),
        (content(person(category_id="absent"), categories=[]), "boxes have no categories, so all"),
        (content(person(category_id="absent")), "boxes have no categories, so all"),
    ],
)
def test_a_single_category_needs_no_name(found: dict[str, Any], told: str) -> None:
    document = read_document(found, PATH)
    assert places(document) == [0]
    assert told in document.notes[0]


RESULTS = [{"image_id": 7, "category_id": 1, "bbox": BOX, "score": 0.9}]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (RESULTS, "list of results, .*--image-info"),
        ([], "not a COCO file"),
        ({}, "not a COCO file: it needs images and annotations"),
        ({"shapes": []}, "LabelMe"),
        (None, "not a COCO file"),
        (content(annotations={}), "annotations is {}, not a list"),
        (content({"segments_info": []}), "a panoptic COCO file"),
        (content(images=[7]), r"images\[0\] is 7, not an object"),
        (content(person(), images=[image(), image(width=9)]), r"images\[0\] and images\[1\] both have the id 7"),
        (content(person(), images=[{"file_name": "a.jpg"}]), r"images\[0\] has no id"),
        (content(), "has no boxes of people$"),
        (content(person(iscrowd=1), person(category_id=2)), "no boxes of people: it has 1 of other categories, 1 of c"),
        (content(person(bbox=None)), "it has 1 that can't be understood; the first of these: 7.jpg, annot"),
        (content(person(bbox=[0.1, 0.2, 0.3, 0.4])), "look like shares of the image"),
        (content(person(), categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]), "named 'person', but there"),
        (content(person(), person(category_id=2), categories=[]), "annotations have category_id 1, 2: name the number"),
    ],
)
def test_what_makes_the_whole_file_doubtful_is_refused(found: Any, told: str) -> None:
    with pytest.raises(AnnotationError, match=told):
        read_document(found, PATH)


def test_results_of_a_detector_need_the_file_that_lists_the_images() -> None:
    listed = {"images": [image()], "categories": [{"id": 1, "name": "person"}]}, Path("info.json")
    document = read_document(RESULTS, PATH, listed=listed)
    assert places(document) == [0]
    assert document.content is RESULTS
    with pytest.raises(AnnotationError, match="needs no other file of images"):
        read_document(content(person()), PATH, listed=listed)
    with pytest.raises(AnnotationError, match=r"info.json is not a COCO file"):
        read_document(RESULTS, PATH, listed=(RESULTS, Path("info.json")))
