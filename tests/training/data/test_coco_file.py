"""Files of other programs: ids and categories of any kind, and people who are left out, who are counted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hiseg.core.coco_file import OTHER_FORMATS, AnnotationError
from hiseg_training.data.coco import Photo, read_annotations, read_people

RING = [5, 10, 25, 10, 25, 30, 5, 30]
BOX = [5, 10, 20, 20]

ORIENTATION = 0x0112


def image(number: Any = 7, **changes: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.png", "width": 50, "height": 40} | changes


def person(number: Any = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": number, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": BOX, "segmentation": [RING]}
    return {name: value for name, value in (row | changes).items() if value != "absent"}


def content(*people: Any, **changes: Any) -> dict[str, Any]:
    categories = [{"id": 1, "name": "person"}]
    return {"images": [image()], "annotations": list(people) or [person()], "categories": categories} | changes


def read(folder: Path, found: Any, *categories: str, images: Path | None = None) -> tuple[list[Photo], list[str]]:
    """The photos, and the lines that are told."""
    path = folder / "some.json"
    path.write_text(json.dumps(found))
    told: list[str] = []
    photos = read_people(path, images or folder, categories or ("person",), told.append)
    return photos, told


def people(photos: list[Photo]) -> int:
    return sum(len(photo.people) for photo in photos)


@pytest.mark.parametrize(
    "found",
    [
        content(images=[image("7")]),
        content(images=[image(7.0)]),
        content(person(image_id="7"), images=[image()]),
        content(person(image_id="7.0")),
        content(person("x", image_id="7", category_id="1")),
        content(person(image_id="u-1"), images=[image("u-1")]),
        content(categories=[{"id": "1", "name": "person"}]),
        content(person(category_id=1.0)),
        content(categories=[{"id": 1, "name": " PERSON "}]),
        content(categories={"1": "person", "2": "dog"}),
        content(person(category_id="人"), categories=[{"id": "人", "name": "Person"}]),
        content(person(iscrowd="0")),
        content(person(iscrowd=False)),
        content(person(iscrowd=None)),
        content(person(iscrowd="absent", area="absent", id="absent")),
        content(person(area=None)),
        content(person(area="many")),
        content(person(bbox="absent")),
        content(person(bbox=[])),
        content(person(bbox=[str(side) for side in BOX])),
        content(images=[image(width="50", height=40.0)]),
        content(
            person(), person(2, category_id=2, segmentation=[[1]]), categories=[*content()["categories"], {"id": 2}]
        ),
        content(images=[image(), image()]),
    ],
)
def test_what_is_plainly_meant_is_read_without_a_word(tmp_path: Path, found: dict[str, Any]) -> None:
    photos, told = read(tmp_path, found)
    (photo,) = photos
    (one,) = photo.people
    assert (one.box.x1, one.box.y1, one.box.x2, one.box.y2) == (5, 10, 25, 30)
    assert one.area == 400
    assert one.mask().sum() == 400
    assert len(told) == 1
    assert "1 people in 1 of 1 images" in told[0]


SKIPPED = {
    "crowd": ([person(2, iscrowd="1")], r"1 x crowd \(iscrowd\), first annotations\[1\] \(id 2\)"),
    "no such image": ([person(2, image_id=8), person(3, image_id="x")], "2 x person in an image that the file doesn't"),
    "no such category": ([person(2, category_id=9)], "1 x annotation of a category that the file doesn't have"),
    "small": ([person(2, segmentation=None, bbox=[5, 5, 1, 1])], "1 x box of under 2 pixels"),
    "0..1": ([person(2, segmentation=None, bbox=[0.1, 0.1, 0.5, 0.5])], "1 x box of under 2 pixels"),
    "no height": ([person(2, segmentation=None, bbox=[5, 5, 10, 0])], "1 x box of under 2 pixels"),
    "outside": ([person(2, segmentation=[], bbox=[90, 5, 20, 20])], "1 x box outside its image"),
    "beyond": ([person(2, segmentation=None, bbox=[40, 10, 30, 20])], "1 x part of a person"),
    "twice": ([person()], "1 x annotation that is in the file twice"),
}


@pytest.mark.parametrize("kind", SKIPPED)
def test_who_is_left_out_is_counted(tmp_path: Path, kind: str) -> None:
    rows, said = SKIPPED[kind]
    photos, told = read(tmp_path, content(person(), *rows))
    assert people(photos) == (2 if kind == "beyond" else 1)
    assert len(told) == 2
    assert re.search(said, told[1])


def test_equal_people_with_ids_of_their_own_are_all_taken(tmp_path: Path) -> None:
    assert people(read(tmp_path, content(person(1), person(2)))[0]) == 2


@pytest.mark.parametrize("outline", [[[1, 1, 2, 2]], [1, 1, 2, 2], [[5, 5, 9, 5, 7, 5]], [[90, 5, 99, 5, 99, 9]]])
def test_an_outline_that_encloses_nothing_leaves_the_box(tmp_path: Path, outline: Any) -> None:
    photos, told = read(tmp_path, content(person(segmentation=outline)))
    assert people(photos) == 1
    assert not photos[0].outlined
    assert not photos[0].exhaustive
    assert "1 people, 1 of them with a box alone" in told[0]
    assert "1 x outline that encloses no pixel" in told[1]


@pytest.mark.parametrize("outline", [None, [], {}, [[]], "absent"])
def test_boxes_alone_are_people_too(tmp_path: Path, outline: Any) -> None:
    photos, told = read(tmp_path, content(person(segmentation=outline)))
    assert people(photos) == 1
    assert "1 of them with a box alone" in told[0]


RLE = {"size": [80, 100], "counts": "0"}
REFUSED: dict[str, tuple[Any, str]] = {
    "RLE of another size": (
        content(person(3, segmentation=RLE)),
        r"annotations\[0\] \(id 3\): segmentation has run len",
    ),
    "odd polygon": (
        content(person(segmentation=[RING[1:]])),
        r"annotations\[0\] \(id 1\): segmentation \[0\] has 7 num",
    ),
    "the second one": (content(person(), person("b", segmentation=[RING[1:]])), r"annotations\[1\] \(id b\): seg"),
    "several": (content(*[person(n, bbox=[1]) for n in range(4)]), "; 3 more can't be read"),
    "neither box nor outline": (content(person(bbox=None, segmentation=[])), "has neither bbox nor segmentation"),
    "three numbers": (content(person(bbox=[1, 2, 3])), r"bbox is \[1, 2, 3\], which is not \[x, y, width, height\]"),
    "box of null": (content(person(bbox=[1, 2, None, 4])), "bbox has a value that is null, which is no number"),
    "box of NaN": (content(person(bbox=[1, 2, float("nan"), 4])), "bbox has a value that is nan"),
    "box of an object": (content(person(bbox={"x": 1})), "which is not .x, y, width, height."),
    "negative box": (content(person(bbox=[20, 20, -10, 5])), "of negative size"),
    "corners by the outline": (
        content(person(bbox=[30, 2, 49, 39], segmentation=[[30, 2, 49, 2, 49, 39, 30, 39]])),
        "which are corners by its outline",
    ),
    "corners near the image's": (
        content(person(bbox=[2, 3, 20, 30], segmentation=[[2, 3, 20, 3, 20, 30, 2, 30]])),
        r"annotations\[0\] \(id 1\): bbox has the corners x1, y1, x2, y2 of its outline",
    ),
    "a centre by the outline": (
        content(person(bbox=[25, 20, 20, 30], segmentation=[[15, 5, 35, 5, 35, 35, 15, 35]])),
        "a centre and a size by its outline",
    ),
    "corners by the image": (content(person(segmentation=None, bbox=[25, 20, 45, 38])), "fit as x1, y1, x2, y2"),
    "box elsewhere": (content(person(bbox=[40, 1, 5, 5])), r"but its outline lies in \[5\.0, 10\.0, 20\.0, 20\.0\]"),
    "crowd of words": (content(person(iscrowd="maybe")), "iscrowd is 'maybe', which is neither 0 nor 1"),
    "no image": (content(person(image_id="absent")), r"annotations\[0\] \(id 1\): has no image_id"),
    "an image of null": (content(person(image_id=None)), "image_id is null, which is no id"),
    "an image of truth": (content(person(image_id=True)), "image_id is true, which is no id"),
    "no category": (content(person(category_id="absent")), "has no category_id"),
    "no object": (content("person"), r"annotations\[0\]: is 'person', not an object"),
    "two images of one id": (content(images=[image(), image("7", width=51)]), r"images\[0\] and images\[1\] both have"),
    "an image without id": (content(images=[{"file_name": "a.png"}]), r"images\[0\] has no id"),
    "an image of words": (content(images=["a.png"]), r"images\[0\] is 'a\.png', not an object"),
    "no name": (content(images=[image(file_name=None)]), r"images\[0\] \(id 7\) file_name is null"),
    "no width": (content(images=[image(width=None)]), "has no width, and there is no image 7.png in .* to ask"),
    "half a pixel": (content(images=[image(width=50.5)]), "width is 50.5, which is no whole number"),
    "negative height": (content(images=[image(height=-40)]), "height is -40, which is no size of an image"),
    "a huge width": (content(images=[image(width=10**7)]), "which is no size of an image"),
    "a name of two lines": (content(person(3, segmentation=RLE), images=[image(file_name="a\nb")]), "run lengths"),
    "truth for a width": (content(images=[image(width=True)]), "width is true, which is no number"),
    "annotations of null": (content(annotations=None), "annotations is null, not a list"),
    "images of null": (content(images=None), "images is null, not a list"),
    "images by id": (content(images={"7": image()}), "images is .*, not a list"),
    "categories of words": (content(categories=["person"]), r"categories\[0\] is 'person', not an object"),
    "one category, two names": (
        content(categories=[{"id": 1, "name": "person"}, {"id": "1", "name": "car"}]),
        "the category 1 is both 'person' and 'car'",
    ),
    "no annotations": ({"images": []}, "needs images and annotations"),
    "a list of results": ([{"image_id": 1, "category_id": 1}], "a list of results has no images"),
    "Label Studio": ([{"id": 1, "data": {}, "annotations": []}], "Label Studio's own JSON can be exported as COCO"),
    "a text": ("person", "this is 'person'"),
    "nobody": (
        content(categories=[{"id": 2, "name": "person"}]),
        r"has no image with people: 1 x annotation of a categ",
    ),
    "nobody annotated": (content(annotations=[]), "has no image with people: no annotation has the category_id 1"),
    "all small": (
        content(person(segmentation=None, bbox=[0.1, 0.1, 0.2, 0.2])),
        "people: 1 x box of under 2 pixels.* shares of the image",
    ),
    "all crowds": (content(person(iscrowd=1)), "no image with people: 1 x crowd"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_plain_is_named_in_one_line(tmp_path: Path, kind: str) -> None:
    found, said = REFUSED[kind]
    with pytest.raises(AnnotationError, match=f"some.json.*{said}") as raised:
        read(tmp_path, found)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", OTHER_FORMATS)
def test_files_of_other_programs_are_recognised(tmp_path: Path, key: str) -> None:
    with pytest.raises(AnnotationError, match=f"{OTHER_FORMATS[key]}'s own files can be exported as COCO"):
        read(tmp_path, {key: []})


@pytest.mark.parametrize("name", ["Human", "pedestrian", "人", "Ünï"])
def test_categories_of_other_names(tmp_path: Path, name: str) -> None:
    found = content(person(), categories=[{"id": 1, "name": name}, {"id": 2, "name": "car"}])
    with pytest.raises(
        AnnotationError, match=rf"no category is named 'person', but there is '{name}' \(1\), 'car' \(0\)"
    ):
        read(tmp_path, found)
    assert people(read(tmp_path, found, "person", name.upper())[0]) == 1
    with pytest.raises(AnnotationError, match="no category is named 'people'"):
        read(tmp_path, found, "people")


def test_several_categories_are_people_together(tmp_path: Path) -> None:
    names = [{"id": 1, "name": "adult"}, {"id": 2, "name": "child"}, {"id": 3, "name": "dog"}]
    found = content(*(person(number, category_id=number) for number in (1, 2, 3)), categories=names)
    assert people(read(tmp_path, found, "adult", "Child")[0]) == 2


def test_a_name_that_only_other_files_have_is_told(tmp_path: Path) -> None:
    photos, told = read(tmp_path, content(), "person", "Human")
    assert people(photos) == 1
    assert any("no category is named 'Human'" in line for line in told)


def test_categories_without_names_are_named_by_number(tmp_path: Path) -> None:
    for categories in (None, [], [{"id": 1}], [{"id": 1, "name": None}]):
        found = content(categories=categories)
        with pytest.raises(AnnotationError, match=r"--category"):
            read(tmp_path, found)
        assert people(read(tmp_path, found, "1")[0]) == 1


@pytest.mark.parametrize(
    "lacking", [{"width": None}, {"height": ""}, {"width": 0, "height": 0}, {"width": None, "height": None}]
)
def test_missing_sizes_are_those_of_the_file(tmp_path: Path, lacking: dict[str, Any]) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "7.png")
    (photo,), _ = read(tmp_path, content(images=[image(**lacking)]))
    assert (photo.width, photo.height) == (50, 40)


def test_half_a_size_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (50, 44)).save(tmp_path / "7.png")
    with pytest.raises(AnnotationError, match=r"is \? x 40, but .*7\.png is 50 x 44"):
        read(tmp_path, content(images=[image(width=None)]))


def test_image_files_are_looked_at_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps(content(images=[image(file_name="train\\7.jpg")])))
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match=r"7\.jpg, which .*some\.json names, does not exist"):
        read_annotations(path, folder)
    (folder / "7.jpg").write_bytes(b"no image")
    with pytest.raises(AnnotationError, match="is no image that can be read"):
        read_annotations(path, folder)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (50, 40)).save(folder / "7.jpg", exif=exif)
    with pytest.raises(AnnotationError, match="is 40 x 50, its annotations say 50 x 40; is it shown turned"):
        read_annotations(path, folder)
    Image.new("RGB", (40, 50)).save(folder / "7.jpg", exif=exif)
    (photo,) = read_annotations(path, folder)
    assert photo.pixels().shape == (40, 50, 3)


def test_two_images_that_are_one_file_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    images = [image(1, file_name="cam1/a.png"), image(2, file_name="cam2/a.png")]
    path = tmp_path / "some.json"
    path.write_text(json.dumps(content(person(1, image_id=1), person(2, image_id=2), images=images)))
    with pytest.raises(AnnotationError, match=r"two of its images are the file .*a\.png"):
        read_annotations(path, tmp_path)


@pytest.mark.parametrize("tool", ["supervision", "datumaro", "label_studio"])
def test_what_tools_export_is_read(tmp_path: Path, tools: Callable[..., str], tool: str) -> None:
    written = Path(tools("export_coco.py", tool, tmp_path).splitlines()[-1])
    (photo,) = read_people(written, tmp_path)
    (one,) = photo.people
    assert (one.box.x1, one.box.y1, one.box.x2, one.box.y2) == pytest.approx((5, 10, 25, 30), abs=1)
    expected = np.zeros((40, 50), dtype=np.bool_)
    expected[10:30, 5:25] = True
    # Polygons drawn around a mask run through the centres of its outermost pixels.
    assert (one.mask() ^ expected).sum() < 80
