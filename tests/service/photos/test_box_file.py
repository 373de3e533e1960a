"""Boxes of many photos from one file: which kinds are read, and whose they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiseg.core.command_errors import CommandError
from hiseg.photos.box_file import BoxFile, match, read_box_file

ROW = [1.0, 2.0, 3.0, 4.0]


def read(tmp_path: Path, content: Any) -> BoxFile:
    path = tmp_path / "boxes.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_box_file(path)


def test_a_coco_file_gives_corners(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"id": 6, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 5]},
            {"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2]},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "horse"}],
    }
    boxes = read(tmp_path, coco)
    assert boxes.is_coco
    assert boxes.rows == {"a.jpg": [[1, 2, 4, 6]], "b.jpg": []}
    assert ["id 7" in str(failure) for failure in boxes.failures] == [True]
    assert read_box_file(tmp_path / "boxes.json", ["horse"]).rows["a.jpg"] == [[1, 2, 4, 7]]


@pytest.mark.parametrize(
    ("content", "rows"), [({"a": [[1, 2, 3, 4]]}, [ROW]), ({"a": [1, 2, 3, 4]}, [ROW]), ({"a": []}, [])]
)
def test_rows_by_name(tmp_path: Path, content: Any, rows: list[list[float]]) -> None:
    assert read(tmp_path, content).rows == {"a": rows}


def test_rows_without_names_are_those_of_every_photo(tmp_path: Path) -> None:
    assert match(read(tmp_path, [ROW]), ["a.jpg", "b.jpg"]).rows == {"a.jpg": [ROW], "b.jpg": [ROW]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": [[1, 2, 3]]}', "a: boxes[0] is not a row of four numbers"),
        ('{"a": [[1, 2, 3, "4"]]}', "boxes[0]"),
        ('{"a": [[1, 2, 3, NaN]]}', "boxes[0]"),
        ('{"a": {"x": 1}}', "a: it is no list of boxes"),
        ("7", "neither a COCO file nor"),
        ("{", "is not JSON"),
        ("", "is empty"),
        ('{"images": [], "annotations": 5}', "annotations is 5, not a list"),
    ],
)
def test_other_files_are_refused_by_the_place(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(CommandError) as caught:
        read(tmp_path, content)
    assert told in str(caught.value)
    assert "boxes.json" in str(caught.value)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        read_box_file(tmp_path / "none.json")


def test_names_fit_by_their_ends_and_in_either_spelling_of_accents() -> None:
    boxes = BoxFile(Path("b"), {"a.jpg": [ROW], "x\\cafe\u0301.jpg": [ROW], "deep/in/e.jpg": [ROW], "more.jpg": []})
    matched = match(boxes, ["holiday/a.jpg", "x/café.jpg", "in/e.jpg", "f.jpg"])
    assert set(matched.rows) == {"holiday/a.jpg", "x/café.jpg", "in/e.jpg"}
    assert not matched.unclear
    assert matched.unused == 1


def test_it_is_told_where_it_is_not_clear_whose_boxes_they_are() -> None:
    boxes = BoxFile(Path("b"), {"a.jpg": [ROW], "x/c.jpg": [ROW], "y/c.jpg": [ROW], "e.jpg": [ROW], "z/e.jpg": []})
    matched = match(boxes, ["p/a.jpg", "q/a.jpg", "c.jpg", "e.jpg", "z/e.jpg"])
    assert matched.rows == {"e.jpg": [ROW], "z/e.jpg": []}
    assert "could be several: p/a.jpg, q/a.jpg" in matched.unclear["p/a.jpg"]
    assert "several photos that it could be: x/c.jpg, y/c.jpg" in matched.unclear["c.jpg"]
