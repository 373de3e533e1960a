"""A recipe is followed to its end, however often it is interrupted; what is done isn't done again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import PIL.Image
import pytest
import torch

from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.recipes.follow import DONE, StepFailed, follow, launch, table
from hiseg_training.recipes.plan import Plan, read_plan
from tests.training.engine.runs import SMALL, annotations, content, invoke, only

RECIPE = """
title = "Smallest"
config = "b0"
set = {{ {set} }}

[[step]]
name = "fine"
why = "people first"
stage = "train"
flags = [{data}]
set = {{ "schedule.epochs" = 2 }}

[[step]]
name = "coarse"
why = "then anybody"
stage = "pretrain"
start = "fine"
flags = ["--from-fine", {data}]
set = {{ "schedule.epochs" = 1 }}
"""


@pytest.fixture
def plan(drawn: Path, tmp_path: Path) -> Plan:
    values = (value.split("=") for value in (*SMALL, "schedule.batch_size=4"))
    data = ", ".join(f'"{word}"' for word in annotations(drawn))
    path = tmp_path / "smallest.toml"
    path.write_text(RECIPE.format(set=", ".join(f'"{k}" = {v}' for k, v in values), data=data))
    return read_plan(path)


def test_a_recipe_that_comes_with_the_program_goes_by_its_name(tmp_path: Path) -> None:
    assert "crops: hiseg-train train --config lite-b0" in invoke("recipe", "b0", "--output", tmp_path, "--list")
    said = invoke("recipe", "b2", "--output", tmp_path, code=2)
    assert said.startswith("error: b2 is no file, and no recipe of this program's: ablation, b0, ")


def test_an_interrupted_recipe_is_continued_to_its_end(plan: Plan, tmp_path: Path) -> None:
    output, ran = tmp_path / "runs", list[Sequence[str]]()
    (output / "fine/stopped/logs").mkdir(parents=True)

    def run(words: Sequence[str]) -> int:
        """Stands for a process of its own; the first is killed after one of two epochs, as far as anybody can see."""
        ran.append(words)
        if len(ran) == 1:
            invoke(*words, "--set", "schedule.epochs=1")
            return 137
        invoke(*words, *(("--epochs", 2) if "--resume" in words else ()))
        return 0

    with pytest.raises(StepFailed, match="fine: it ended with 137; the same command again goes on with it"):
        follow(plan, output, lambda _: None, run)
    assert not (output / "fine" / DONE).exists()
    outcomes = follow(plan, output, lambda _: None, run)
    assert [("--resume" in words) for words in ran] == [False, True, False]
    # Eight images make two steps an epoch, their 17 people four.
    assert {name: found.steps[-1] + 1 for name, found in outcomes.items()} == {"fine": 8, "coarse": 2}
    fine = outcomes["fine"]
    assert len(fine.fits) == len(fine.scores) == 2
    assert "| coarse | then anybody | 2 | " in table(plan, outcomes)
    assert table(plan, outcomes).splitlines()[2].endswith(f"| {max(fine.scores):.3f} | {fine.fit:.3f} |")
    for name in outcomes:
        with PIL.Image.open(output / name / "curve.png") as curve:
            assert curve.width > curve.height > 300
            alone = curve.width
    with PIL.Image.open(output / "curves.png") as curves:
        assert curves.width > 1.5 * alone
    before = load_checkpoint(only(output, "fine/*/checkpoints/best_model_epoch_*.pth"))
    coarse = load_checkpoint(only(output, "coarse/*/checkpoints/best_foreground_epoch_*.pth"))
    for key, value in before.fine.state_dict().items():
        assert torch.equal(value, coarse.fine.state_dict()[key]), "it began with the other step's weights"
    assert content(only(output, "coarse/*/checkpoints/foreground_epoch_*"))["configuration"]["data"]["people"] == 2

    said: list[str] = []
    assert follow(plan, output, said.append, lambda words: 1) == outcomes
    assert not said, "all was done"


def test_a_run_without_a_checkpoint_does_not_count(plan: Plan, tmp_path: Path) -> None:
    stopped = tmp_path / "runs/fine/stopped/logs"
    stopped.mkdir(parents=True)
    ran: list[Sequence[str]] = []

    def run(words: Sequence[str]) -> int:
        """Stands for a process that ends well and leaves nothing."""
        ran.append(words)
        return 0

    with pytest.raises(StepFailed, match="runs/fine: the run left no checkpoint"):
        follow(plan, tmp_path / "runs", lambda _: None, run)
    assert "--resume" not in ran[0]
    assert stopped.exists(), "nothing is taken away"


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "hiseg_training",
        "recipe",
        "training/hiseg_training/recipes/b0.toml",
        "--output",
        tmp_path,
        "--list",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert names == ["crops", "student", "long", "wide", "loose", "foreground"]
    assert "hiseg-train pretrain --config lite-b0 --pretrained_checkpoint" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_step_is_launched_as_the_program_itself() -> None:
    assert launch(["configs", "b0"]) == 0
