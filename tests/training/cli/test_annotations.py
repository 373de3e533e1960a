"""Every command that reads annotations says who is left out, and what it can't read, before it does anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.repository import REPOSITORY
from tests.training.drawing import HEIGHT, WIDTH
from tests.training.engine.runs import invoke, small

MODEL = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
COMMANDS = ("pretrain", "train", "validate", "predict")


def changed(drawn: Path, folder: Path, change: Any) -> Path:
    """A copy of the drawn annotations, in which people are called Human, after ``change`` to its annotations."""
    content = json.loads((drawn / "annotations" / "instances_val2017_person_only_no_crowd.json").read_text())
    content["categories"][0]["name"] = "Human"
    change(content["annotations"])
    path = folder / "changed.json"
    path.write_text(json.dumps(content))
    return path


def words(command: str, annotations: Path, drawn: Path, output: Path) -> list[object]:
    images = drawn / "images" / "val2017"
    match command:
        case "validate":
            asked: list[object] = [MODEL, "--val-ann", annotations, "--images-dir", images, "--output-dir", output]
            asked += ["--jitter", 0]
        case "predict":
            asked = ["--onnx", MODEL, "--annotations", annotations, "--images-dir", images, "--output-dir", output]
        case _:
            good = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
            asked = ["--config", "b0", "--train-ann", annotations, "--train-images", images, "--val-images", images]
            asked += ["--val-ann", annotations if command == "train" else good, "--output", output, *small()]
    return [command, *asked]


@pytest.mark.parametrize("command", COMMANDS)
def test_run_lengths_of_another_size_end_the_reading(drawn: Path, tmp_path: Path, command: str) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[2]["segmentation"]["size"] = [2 * HEIGHT, 2 * WIDTH]

    path = changed(drawn, tmp_path, change)
    said = invoke(*words(command, path, drawn, tmp_path / "out"), "--category", "human", code=2)
    *_, line = said.splitlines()
    sizes = f"{2 * WIDTH} x {2 * HEIGHT} pixels, its image has {WIDTH} x {HEIGHT}"
    assert line == f"error: {path}: annotations[2] (id 3): segmentation has run lengths for {sizes}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_people_of_another_name_are_asked_for(drawn: Path, tmp_path: Path, command: str) -> None:
    path = changed(drawn, tmp_path, lambda rows: None)
    said = invoke(*words(command, path, drawn, tmp_path / "out"), code=2)
    assert f"error: {path}: no category is named 'person', but there is 'Human'" in said


@pytest.mark.parametrize("command", ["validate", "predict"])
def test_who_is_left_out_is_told(drawn: Path, tmp_path: Path, command: str) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["iscrowd"] = "1"
        rows[-1]["segmentation"] = [[1, 1, 2, 2]]

    path = changed(drawn, tmp_path, change)
    said = invoke(*words(command, path, drawn, tmp_path / "out"), "--category", "HUMAN")
    assert f"{path}: " in said
    assert "left out: 1 x crowd (iscrowd), first annotations[0] (id 1)" in said
    assert "1 x outline that encloses no pixel of the image, of which the box alone is taken" in said
    assert ("1 x image with people who have a box, but no outline" in said) == (command == "validate")


def without_outlines(drawn: Path, folder: Path, people: slice) -> Path:
    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows[people]:
            row["segmentation"] = [[1, 1, 2, 2]]

    return changed(drawn, folder, change)


def test_pretrain_tells_too_and_leaves_out_photos_that_are_not_outlined(drawn: Path, tmp_path: Path) -> None:
    images = drawn / "images" / "val2017"
    (tmp_path / "some").mkdir()
    some, nobody = without_outlines(drawn, tmp_path / "some", slice(1)), without_outlines(drawn, tmp_path, slice(None))
    arguments = ["--config", "b0", "--train-images", images, "--val-images", images, "--category", "Human"]
    arguments += ["--output", tmp_path / "out", *small()]
    for command, reason in (("train", "has anybody an outline"), ("pretrain", "has everybody an outline")):
        said = invoke(command, *arguments, "--train-ann", nobody, "--val-ann", some, code=2)
        assert f"error: {nobody}: in none of its images {reason}" in said.splitlines()[-1]
    said = invoke("pretrain", *arguments, "--train-ann", some, "--val-ann", nobody, code=2)
    assert f"{some}: " in said
    assert "1 x image with people who have a box, but no outline, first 000000000001.png" in said
    assert f"error: {nobody}: in none of its images is everybody" in said.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_more_data_for_stage_3(drawn: Path, tmp_path: Path) -> None:
    """Several files, outlines of some boxes, and animals; what is wrong with them is said before anything is done."""
    folder, images = drawn / "annotations", drawn / "images"
    train, val = (folder / f"instances_{split}2017_person_only_no_crowd.json" for split in ("train", "val"))
    content = json.loads(val.read_text())
    outlines = tmp_path / "outlines.json"
    outlines.write_text(json.dumps(content | {"annotations": [content["annotations"][2] | {"id": 9, "box_id": 3}]}))
    animals = tmp_path / "animals.json"
    animals.write_text(json.dumps(content | {"categories": [{"id": 1, "name": "dog"}]}))
    boxes = without_outlines(drawn, tmp_path, slice(None))
    common = ("train", "--config", "b0", "--train-ann", train, "--train-ann", val, "--val-ann", val)
    common += ("--epochs", 1, "--batch-size", 16, "--output", tmp_path / "out", *small("data.things=1"))
    more = ("--partial-ann", outlines, "--nobody-ann", animals, "--nobody-images", images / "val2017")
    said = invoke(*common, "--category", "person", "--category", "Human", *more, code=2)
    assert "error: boxes_ann: which? partial_ann has outlines of some of its boxes" in said
    more += ("--boxes-ann", boxes, "--boxes-images", images / "val2017")
    said = invoke(*common, "--category", "person", "--category", "Human", *more)
    people = len(content["annotations"])
    assert f"{boxes}: {people} people, {people - 1} of them with a box alone" in said
    assert "best: " in said
    outlines.write_text(json.dumps(content))
    said = invoke(*common, "--category", "person", "--category", "Human", *more, code=2)
    assert f"error: {outlines}: annotations[0] (id 1): has no box_id" in said
