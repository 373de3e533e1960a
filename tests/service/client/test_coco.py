"""Boxes are read from COCO files however programs write them; what isn't plain is named."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hiseg.client.coco import find_frame, read_coco

BOX = [10, 20, 30, 40]
CATEGORIES = [{"id": 1, "name": "Person"}, {"id": 2, "name": "Horse"}]


def annotation(bbox: object = BOX, image_id: object = 1, category_id: object = 1, **more: object) -> dict[str, Any]:
    return {"id": 1, "image_id": image_id, "category_id": category_id, "bbox": bbox, **more}


def content(*annotations: object, **more: object) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    return {"images": images, "categories": CATEGORIES, "annotations": list(annotations), **more}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def read(written: object, *labels: str) -> Any:
        (tmp_path / "boxes.json").write_text(json.dumps(written))
        return read_coco(tmp_path / "boxes.json", labels)

    return read


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (annotation(), BOX),
        (annotation(["10", " 20 ", "30.0", "4e1"]), BOX),
        (annotation(image_id="1", category_id="1"), BOX),
        (annotation(image_id=1.0), BOX),
        (annotation(iscrowd=0, segmentation=[], area=5), BOX),
        (annotation(iscrowd="0"), BOX),
        (annotation(attributes=None), BOX),
        (annotation(attributes={"occluded": False, "track_id": 3, "keyframe": True}), BOX),
        (annotation(attributes={"rotation": 0.0}), BOX),
        (annotation(attributes={"rotation": None}), BOX),
        (annotation(attributes={"rotation": 360}), BOX),
        (annotation([-5, -5, 50, 50]), [-5, -5, 50, 50]),
        (annotation([100, 100, 300, 40], attributes={"rotation": 90}), [230, -30, 40, 300]),
        (annotation([100, 100, 300, 40], attributes={"rotation": "90.0"}), [230, -30, 40, 300]),
        (annotation([100, 100, 300, 40], attributes={"rotation": 270.0}), [230, -30, 40, 300]),
        (annotation([100, 100, 300, 40], attributes={"rotation": 180.0}), [100, 100, 300, 40]),
        # An ellipse, which CVAT exports as the run lengths of its outline, has the box around that already.
        (annotation(attributes={"rotation": 90}, segmentation={"size": [90, 90], "counts": [8100]}), BOX),
        (annotation(attributes={"rotation": 45}, segmentation=[[25, 20, 40, 40, 25, 60, 10, 40]]), BOX),
        (annotation(attributes={"rotation": 90}, segmentation=[[10, 20, 40, 20, 40, 60, 10, 60]]), [5, 25, 40, 30]),
        (annotation(attributes={"rotation": 90}, segmentation=[[]]), [5, 25, 40, 30]),
    ],
)
def test_boxes_that_are_taken(read: Callable[..., Any], written: dict[str, Any], expected: list[float]) -> None:
    labels, rows = read(content(written))
    assert labels == {1: "Person"}
    assert rows == {"a.jpg": [(1, pytest.approx(expected))], "b.jpg": []}


def test_every_angle_as_datumaro_turns_it(read: Callable[..., Any], tools: Callable[..., str], tmp_path: Path) -> None:
    chance = random.Random(3)
    angles = [*range(-360, 721, 15), *(round(chance.uniform(-400, 800), 2) for _ in range(40))]
    # Datumaro keeps hundredths.
    cases = [[*(chance.randint(1, 900) for _ in range(4)), angle] for angle in angles]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    tools("turned_boxes.py", tmp_path / "cases.json", tmp_path / "expected.json")
    turned = [annotation(case[:4], attributes={"rotation": case[4]}) for case in cases]
    _, rows = read(content(*turned))
    for (_, box), expected in zip(rows["a.jpg"], json.loads((tmp_path / "expected.json").read_text()), strict=True):
        assert box == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (annotation([1, 2, 0, 5]), "empty"),
        (annotation([1, 2, 5, 0.0]), "empty"),
        (annotation([1, 2, -3, 5]), "empty"),
        (annotation([1, 2, 0.5, 5]), "less than a pixel"),
        (annotation(iscrowd=1), "crowds"),
        (annotation(iscrowd="1"), "crowds"),
        (annotation(iscrowd=True), "crowds"),
    ],
)
def test_boxes_that_are_left_out(
    read: Callable[..., Any], written: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, rows = read(content(annotation(), written))
    assert rows["a.jpg"] == [(1, BOX)]
    assert "annotations[1]" in caplog.text
    assert why in caplog.text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (content(), "has no boxes"),
        (content(annotation([1, 2, 0, 0])), "has no boxes"),
        ([], "is not a COCO file"),
        (content(annotations=None), "no list of annotations"),
        (content(None), "no list of annotations"),
        (content(annotation(None)), r"annotations\[0\] has no box of four numbers"),
        (content(annotation(), annotation([1, 2, 3])), r"annotations\[1\] has no box of four numbers"),
        (content(annotation("1,2,3,4")), r"annotations\[0\] has no box"),
        (content(annotation([1, 2, "x", 4])), r"annotations\[0\] bbox is 'x', which is no number"),
        (content(annotation([1, 2, True, 4])), "bbox is true, which is no number"),
        (content(annotation([1, 2, "1_0", 4])), "'1_0', which is no number"),
        (content(annotation([1, 2, "４", 4])), "'４', which is no number"),
        (content(annotation([1, 2, "inf", 4])), "inf, which is no number"),
        (content(annotation([1, 2, float("nan"), 4])), "nan, which is no number"),
        (content(annotation([1, 2, 10**400, 4])), "no number"),
        (content(annotation(attributes={"rotation": "left"})), "rotation is 'left', which is no number"),
        (content(annotation(image_id=7)), r"annotations\[0\] belongs to the image 7, which there isn't"),
        (content(annotation(image_id=None)), r"annotations\[0\] image_id is null, which is no id"),
        (content(annotation(image_id=[1])), r"image_id is \[1\], which is no id"),
        (content(annotation(category_id=9)), "category that there isn't: 9"),
        (content(annotation(), categories=[{"id": 1}]), r"categories\[0\] has no name"),
        (content(annotation(), categories=[{"id": "x", "name": "P"}]), "no whole number: 'x'"),
        (content(annotation(), images=[{"id": 1}]), r"images\[0\] has no file_name"),
        (content(annotation(), images=[{"id": 1, "file_name": "a"}] * 2), r"images\[1\] has the id 1 of another"),
        (
            content(annotation(), images=[{"id": 1, "file_name": "a/1.jpg"}, {"id": 2, "file_name": "a\\1.jpg"}]),
            r"images\[1\] has the same file_name as images\[0\]: 'a/1.jpg'",
        ),
    ],
)
def test_what_is_wrong_is_named(read: Callable[..., Any], tmp_path: Path, written: object, text: str) -> None:
    with pytest.raises(ValueError, match=text) as raised:
        read(written)
    assert str(tmp_path / "boxes.json") in str(raised.value)


def test_the_labels_that_are_wanted(read: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    both = content(annotation(), annotation(category_id=2))
    assert read(both)[0] == {1: "Person", 2: "Horse"}
    assert "Person, Horse" in caplog.text
    caplog.clear()
    assert read(both, "Person") == ({1: "Person"}, {"a.jpg": [(1, BOX)], "b.jpg": []})
    assert not caplog.text
    with pytest.raises(ValueError, match="no label 'Dog'; there are Horse, Person"):
        read(both, "Dog")
    with pytest.raises(ValueError, match="has no boxes of Horse"):
        read(content(annotation()), "Horse")


def test_categories_of_one_name_are_one_label(read: Callable[..., Any]) -> None:
    twice = [{"id": 5, "name": "Person"}, {"id": 7, "name": "Person"}]
    labels, rows = read(content(annotation(category_id=7), annotation(category_id=5), categories=twice))
    assert labels == {5: "Person"}
    assert [label for label, _ in rows["a.jpg"]] == [5, 5]


NAMES = content(
    annotation(), categories=[{"id": 1, "name": "Человек"}], images=[{"id": 1, "file_name": "фото/ü 1.jpg"}]
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", "C.UTF-8"])
def test_names_do_not_depend_on_the_computer_s_language(tmp_path: Path, encoding: str, locale: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(json.dumps(NAMES, ensure_ascii=False).encode(encoding))
    code = "import sys, json; from hiseg.client.cvat import read_coco; print(json.dumps(read_coco(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [{"1": "Человек"}, {"фото/ü 1.jpg": [[1, BOX]]}]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xfa{}", "is not JSON in utf-8: no character fits"),
        ('{"a": "ü"}'.encode("latin-1"), "is not JSON in utf-8: no character fits"),
        (b"<?xml version='1.0'?><annotations/>", "is not JSON: .*as CVAT exports with the format COCO 1.0"),
        (b"", "is empty: it is not a COCO file"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "boxes.json").write_bytes(data)
    with pytest.raises(ValueError, match=text):
        read_coco(tmp_path / "boxes.json")


def test_the_archive_that_cvat_exports(tmp_path: Path) -> None:
    path = tmp_path / "task.zip"
    for names, problem in (
        (["annotations/instances_default.json"], None),
        (["annotations/instances_a.json", "annotations/instances_b.json"], "instances_a.json, .*instances_b.json"),
        (["images/a.jpg"], "none"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, json.dumps(content(annotation())))
        if problem:
            with pytest.raises(ValueError, match=problem):
                read_coco(path)
        else:
            assert read_coco(str(path))[1]["a.jpg"] == [(1, BOX)]


@pytest.mark.parametrize(
    ("rows", "frame", "expected"),
    [
        (["a.jpg"], "a.jpg", "a.jpg"),
        (["x/a.jpg", "y/a.jpg"], "y/a.jpg", "y/a.jpg"),
        (["x/a.jpg"], "a.jpg", "x/a.jpg"),
        (["a.jpg"], "x/a.jpg", "a.jpg"),
        (["x/a.jpg"], "x\\a.jpg", "x/a.jpg"),
        (["/x/a.jpg"], "x/a.jpg", "/x/a.jpg"),
        (["./x/a.jpg"], "x/a.jpg", "./x/a.jpg"),
        (["e\u0301.jpg"], "é.jpg", "e\u0301.jpg"),
        (["x/a.jpg", "y/a.jpg"], "a.jpg", "several images that could be 'a.jpg': x/a.jpg, y/a.jpg"),
        (["x/a.jpg"], "y/a.jpg", "no image with the file_name 'y/a.jpg'"),
        (["xa.jpg"], "a.jpg", "no image"),
        ([], "a.jpg", "no image"),
    ],
)
def test_frames_are_found_by_their_paths(rows: list[str], frame: str, expected: str) -> None:
    if expected in rows:
        assert find_frame(rows, frame) == expected
    else:
        with pytest.raises(ValueError, match=expected):
            find_frame(rows, frame)


def test_nothing_is_said_of_a_file_without_faults(read: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read(content(annotation()))
    assert not caplog.text
