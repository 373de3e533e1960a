"""Upstream's commands work here: every flag of the table in the docs is there. That they work is tested elsewhere."""

from __future__ import annotations

import re

import pytest

from benchmarks.harness.paths import ROOT
from hiseg.cli.lazy import load
from hiseg_training.cli.main import COMMANDS

FLAG = re.compile(r"--[a-z_]+")


def rows() -> list[tuple[str, list[str]]]:
    """Each row's command, and the flags that upstream has."""
    table = (ROOT / "docs" / "upstream.md").read_text().split("## Commands")[1].split("\n\n")[2]
    command, found = "", []
    for line in table.splitlines()[2:]:
        theirs, ours = line.strip("| ").split(" | ")
        named = re.search(r"`hiseg-train ([a-z]+)", ours)
        command = named[1] if named else command
        if command and not theirs.startswith("none"):
            found.append((command, FLAG.findall(theirs)))
    return found


@pytest.mark.parametrize(("command", "flags"), rows())
def test_every_flag_of_upstream_exists(command: str, flags: list[str]) -> None:
    found = load(COMMANDS[command].module, command)
    known = {option for parameter in found.params for option in parameter.opts}
    assert {flag.replace("_", "-") for flag in flags} <= {option.replace("_", "-") for option in known}


def test_the_table_has_all_of_upstreams_flags() -> None:
    given: dict[str, set[str]] = {}
    for command, flags in rows():
        given.setdefault(command, set()).update(flag.removeprefix("--") for flag in flags)
    assert given["distill"] == {
        *("teacher_config", "student_config", "teacher_checkpoint", "epochs", "batch_size", "resume"),
        *("initial_temperature", "final_temperature", "temperature_decay_epochs"),
    }
    assert given["train"] == {
        *("config", "epochs", "batch_size", "train_ann", "val_ann", "resume", "pretrained_checkpoint", "learning_rate"),
    }
    assert given["validate"] == {"val_ann", "batch_size", "multiple", "visualize", "num_visualize", "output_dir"}
    assert given["predict"] == {
        *("onnx", "annotations", "images_dir", "num_images", "provider", "binary_mode", "alpha", "score_threshold"),
        *("save_masks", "batch_size", "output_dir"),
    }
