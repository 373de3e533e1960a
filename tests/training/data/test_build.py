"""Person-only files and their subsets, made of plain COCO annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiseg_training.data.build import build

PERSON, DOG = 5, 18
"""Not COCO's numbers: the names decide."""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """30 images; every third has a dog, every seventh a crowd, every tenth no person."""
    rows: list[dict[str, Any]] = []

    def add(image: int, category: int, crowd: int = 0) -> None:
        row = {"id": 1000 + len(rows), "image_id": image, "category_id": category, "iscrowd": crowd}
        rows.append(row | {"bbox": [1, 2, 30, 40], "area": 1200, "segmentation": [[1, 2, 31, 2, 31, 42]]})

    for image in range(100, 130):
        if image % 10:
            add(image, PERSON)
            add(image, PERSON)
        if image % 3 == 0:
            add(image, DOG, crowd=1)
        if image % 7 == 0:
            add(image, PERSON, crowd=1)
    content = {
        "info": {"year": 2017},
        "licenses": [{"id": 4}],
        "categories": [{"id": PERSON, "name": "person"}, {"id": DOG, "name": "dog"}],
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 99, "height": 77} for i in range(100, 130)],
        "annotations": rows,
    }
    path = tmp_path / "instances_some2017.json"
    path.write_text(json.dumps(content))
    return path


def test_only_annotations_of_people_are_kept(plain: Path, tmp_path: Path) -> None:
    (whole,) = build(plain, tmp_path / "out")
    assert whole.name == "instances_some2017_person_only_no_crowd.json"
    before, after = json.loads(plain.read_text()), json.loads(whole.read_text())
    kept = [i for i in range(100, 130) if i % 10 and i % 7]
    assert [image["id"] for image in after["images"]] == kept
    expected = [row for row in before["annotations"] if row["image_id"] in kept and row["category_id"] == PERSON]
    assert after["annotations"] == expected
    assert after["categories"] == [{"id": PERSON, "name": "person"}]
    assert (after["info"], after["licenses"]) == (before["info"], before["licenses"])


def test_subsets_have_upstreams_names_and_are_nested(plain: Path, tmp_path: Path) -> None:
    whole, small, large, *none = build(plain, tmp_path, subsets=(12, 5, 500))
    assert not none, "a subset would be the whole"
    assert small.name == "instances_some2017_person_only_no_crowd_5imgs.json"
    images = [{image["id"] for image in json.loads(p.read_text())["images"]} for p in (small, large, whole)]
    assert [len(ids) for ids in images[:2]] == [5, 12]
    assert images[0] < images[1] < images[2]
    rows = json.loads(small.read_text())["annotations"]
    assert {row["image_id"] for row in rows} == images[0]


def test_subsets_depend_on_the_random_seed_alone(plain: Path, tmp_path: Path) -> None:
    first, again, other = (build(plain, tmp_path / n, seed, [5])[1] for n, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()
