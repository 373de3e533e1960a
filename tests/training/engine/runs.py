"""The smallest runs that train all parts: drawn people, small crops, narrow decoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from typer.testing import CliRunner

from hiseg_training.cli.main import app

SMALL = (
    "data.canvas=[96,64]",
    "data.people=2",
    "data.workers=0",
    "instances.early=[[1,[32,24]]]",
    "model.fine_widths=[8,8,8,8]",
    "model.coarse_widths=[8,8,8,8]",
)


def small(*more: str) -> list[str]:
    """``--set`` options of a small run, and further values."""
    return [word for value in (*SMALL, *more) for word in ("--set", value)]


def annotations(drawn: Path) -> list[str]:
    """Flags, in upstream's spelling, for the drawn data."""
    folder = drawn / "annotations"
    train, val = (folder / f"instances_{split}2017_person_only_no_crowd.json" for split in ("train", "val"))
    return ["--train_ann", str(train), "--val_ann", str(val)]


def invoke(*arguments: object, code: int = 0) -> str:
    """What ``hiseg-train`` prints."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def only(folder: Path, pattern: str) -> Path:
    """The one file that matches."""
    (found,) = folder.glob(pattern)
    return found


def content(path: Path) -> dict[str, Any]:
    """Everything that a checkpoint holds."""
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Assert that two nested values are equal bit for bit; ``where`` names the place in messages."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_same(one, other, f"{where}.{number}")
    else:
        assert a == b, where


def boxes_only(drawn: Path, folder: Path) -> Path:
    """The drawn training images without their outlines."""
    whole = json.loads((drawn / "annotations" / "instances_train2017_person_only_no_crowd.json").read_text())
    for row in whole["annotations"]:
        del row["segmentation"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "boxes.json"
    path.write_text(json.dumps(whole))
    return path
