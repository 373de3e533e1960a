"""``hiseg-train data`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiseg_training.cli.main import app


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def renamed(drawn: Path, tmp_path: Path) -> Path:
    """A file of the drawn images, in which people are called Human, one has a box alone, and one is in a crowd."""
    (path,) = (drawn / "annotations").glob("*train2017*.json")
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "Human"
    first, second, *_ = content["annotations"]
    del first["segmentation"]
    second["iscrowd"] = "1"
    found = tmp_path / "renamed.json"
    found.write_text(json.dumps(content))
    return found


def test_files_are_built_and_counted(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (annotations,) = (drawn / "annotations").glob("*train2017*.json")
    said = call("build", annotations, "--output-dir", tmp_path)
    built = sorted(tmp_path.glob("*.json"))
    assert built
    assert all(f"wrote {path}" in said for path in built)
    assert "| people " in call("stats", annotations)
    assert sorted(tmp_path.glob("*.json")) == built, "figures are written where that is asked for"
    counted = tmp_path / "stats.json"
    assert f"wrote {counted}" in call("stats", annotations, "--output", counted)
    assert json.loads(counted.read_text())


def test_people_of_another_name_are_counted_if_they_are_named(renamed: Path, tmp_path: Path) -> None:
    counted = tmp_path / "stats.json"
    said = call("stats", renamed, "--output", counted, code=2)
    assert said.startswith("error: ")
    assert "no category is named 'person', but there is 'Human'" in said
    assert len(said.splitlines()) == 1
    said = call("stats", renamed, "--output", counted, "--category", "human")
    assert "left out: 1 x crowd (iscrowd), first annotations[1] (id 2)" in said
    assert "left out: 1 x image with people who have a box, but no outline" in said
    assert json.loads(counted.read_text())["total_images"] == 7


def test_a_built_file_calls_people_person(renamed: Path, tmp_path: Path) -> None:
    said = call("build", renamed, "--category", "Human", "--output-dir", tmp_path / "built")
    assert "left out: 1 x image with a crowd" in said
    (built,) = (tmp_path / "built").iterdir()
    assert json.loads(built.read_text())["categories"] == [{"id": 1, "name": "person", "supercategory": "person"}]
    assert "people in 7 of 7 images" in call("stats", built, "--output", tmp_path / "stats.json")


@pytest.mark.parametrize("command", ["build", "stats"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("[]", "is not a COCO file"),
        ('{"images": [', "ends in the middle"),
        ('{"images": [], "annotations": []}', "the file has no categories"),
        ('{"images": null, "annotations": [], "categories": [{"id": 1, "name": "person"}]}', "images is null"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, command: str, content: str, said: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    found = call(command, path, code=2)
    assert found.startswith(f"error: {path}")
    assert said in found
    assert len(found.splitlines()) == 1


def test_string_ids_are_built_as_they_are(drawn: Path, tmp_path: Path) -> None:
    (path,) = (drawn / "annotations").glob("*train2017*.json")
    content = json.loads(path.read_text())
    for number, image in enumerate(content["images"]):
        image["id"] = f"x{number}" if number % 2 else number
    for row in content["annotations"]:
        number = row["image_id"] - 1
        row["image_id"] = f"x{number}" if number % 2 else str(number)
    found = tmp_path / "mixed.json"
    found.write_text(json.dumps(content))
    call("build", found, "--output-dir", tmp_path / "built")
    (built,) = (tmp_path / "built").iterdir()
    after = json.loads(built.read_text())
    assert (after["images"], after["annotations"]) == (content["images"], content["annotations"])
