"""Recipes are checked before they are followed, and those of the project are good."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT
from hiseg_training.recipes.follow import command
from hiseg_training.recipes.plan import PlanError, read_plan

STEP = '[[step]]\nname = "a"\nwhy = "to see"\nstage = "train"\n'
HEAD = 'title = "B0"\nconfig = "b0"\n'


@pytest.mark.parametrize(
    "path", sorted((ROOT / "training" / "hiseg_training" / "recipes").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_projects_recipes_are_valid(path: Path) -> None:
    plan = read_plan(path)
    assert all(step.why for step in plan.step)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "Invalid value"),
        (HEAD, "step: Field required"),
        (HEAD + "step = []\n", "step: Tuple should have at least 1 item"),
        (HEAD + STEP.replace("train", "fly"), "step.0.stage: Input should be 'pretrain', 'distill' or 'train'"),
        (HEAD + STEP.replace('"a"', '"../a"'), "step.0.name"),
        (HEAD + STEP + STEP, "two are called a"),
        (HEAD + STEP + 'start = "b"\n', "a starts from b, which is no step before it"),
        (HEAD + STEP + 'flags = ["--teacher_checkpoint", "{b}"]\n', "a has {b}, but b is no step before it"),
        (HEAD + STEP.replace('"a"', '"data"'), "a step can't be called data"),
        (HEAD + STEP + "sett = {}\n", "step.0.sett"),
        (HEAD + STEP + 'set = { "schedule.epoch" = 1 }\n', "step a: schedule.epoch: there is no such value"),
        (HEAD + STEP + 'set = { "schedule.epochs" = 0 }\n', "step a: schedule.epochs"),
        (HEAD + STEP + 'config = "b9"\n', "step a: config: no configuration is named 'b9'"),
    ],
)
def test_an_invalid_recipe_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_flags_may_name_the_data_and_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_DATA", "/photos")
    path = tmp_path / "recipe.toml"
    flags = 'flags = ["--boxes_ann", "{data}/boxes.json", "--boxes_teacher", "{a}"]\n'
    path.write_text(HEAD + STEP + STEP.replace('"a"', '"b"') + flags)
    plan = read_plan(path)
    words = command(plan, plan.step[1], tmp_path)
    assert words[words.index("--boxes_ann") + 1] == "/photos/boxes.json"
    assert words[words.index("--boxes_teacher") + 1].startswith(f"{tmp_path}/a/")


def test_values_for_all_steps_come_last(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD + 'set = { "schedule.epochs" = 2 }\n' + STEP + 'set = { "schedule.epochs" = 3 }\n')
    values = [plan.values(plan.step[0]) for plan in (read_plan(path), read_plan(path, {"schedule.epochs": 4}))]
    assert [value["schedule.epochs"] for value in values] == [3, 4]
    with pytest.raises(PlanError, match=r"step a: schedule\.epochs"):
        read_plan(path, {"schedule.epochs": -1})
