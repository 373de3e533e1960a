"""The document's command blocks, on a few drawn pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training.loop.runs import annotations, boxes_only, content, invoke, only, small
from training.checkpoint import load_checkpoint
from training.configurations.names import NAMES, short

B0 = NAMES[3]
TEACHER, STUDENT = NAMES[2], NAMES[0]


@pytest.fixture(scope="module")
def experiments(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of stage 1, which the other stages start from."""
    output = tmp_path_factory.mktemp("experiments")
    invoke(
        "pretrain", "--config", B0, *annotations(drawn), "--epochs", 1, "--batch_size", 8, "--output", output, *small()
    )
    return output


def test_configs_lists_all_and_prints_one() -> None:
    listed = invoke("configs")
    assert all(name in listed and short(name) in listed for name in NAMES)
    assert json.loads(invoke("configs", "b1-80x60"))["model"]["mask_size"] == [160, 120]
    assert "b1-80x60" in invoke("configs", "b1-80x6", code=2)


def test_train_starts_from_a_pattern_and_freezes_what_is_learnt(drawn: Path, experiments: Path, tmp_path: Path) -> None:
    said = invoke(
        *("train", "--config", B0, *annotations(drawn), "--epochs", 1, "--batch-size", 8, "--output", tmp_path),
        *("--pretrained_checkpoint", f"{experiments}/*/checkpoints/best_foreground_*.pth", "--learning_rate", "1e-5"),
        *small(),
    )
    assert "the newest of 2" in said
    assert "instances.coarse: frozen" in said
    before = load_checkpoint(only(experiments, f"{B0}_pretrain/checkpoints/foreground_epoch_0001_*")).state_dict()
    path = only(tmp_path, f"{B0}/checkpoints/best_model_b0_*.pth")
    after = load_checkpoint(path).state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fine"}
    assert content(path)["configuration"]["schedule"]["learning_rate"] == 1e-5


def test_distill_and_resume(drawn: Path, experiments: Path, tmp_path: Path) -> None:
    boxes = boxes_only(drawn, tmp_path)
    best = only(experiments, "*/checkpoints/best_foreground_b0_*.pth")
    common = ("--student_config", STUDENT, "--teacher_checkpoint", best, "--output", tmp_path)
    first = ("--initial_temperature", "10.0", "--final-temperature", "1.0", "--temperature_decay_epochs", 50)
    images = ("--boxes-ann", boxes, "--boxes_images", drawn / "images" / "train2017", "--boxes-teacher", best)
    sizes = small()[:-4]
    said = invoke("distill", *common, *first, *images, *annotations(drawn), "--epochs", 1, "--batch_size", 16, *sizes)
    assert "unfreezing: none" in said
    folder = only(tmp_path, "*/checkpoints")
    one = content(folder / "distillation_epoch_001.pth")
    assert one["configuration"]["distillation"]["temperature"]["epochs"] == 50
    assert one["distillation"]["teacher"] > 0
    assert not any("teacher" in name for name in one["state_dict"])
    head = "model.coarse.head.weight"
    torch.manual_seed(0)
    invoke("distill", *common, "--resume", folder / "distillation_epoch_001.pth", "--epochs", 2)
    two = content(folder / "distillation_epoch_002.pth")
    assert two["global_step"] == 2 * one["global_step"]
    assert not torch.equal(one["current_model_state"][head], two["current_model_state"][head])
    refused = invoke("distill", *common, "--teacher_config", TEACHER, *annotations(drawn), code=2)
    assert "teacher_checkpoint: it holds a b0, but teacher_config says b7" in refused


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("train", "--config", "b9"), "config: no configuration is named 'b9'"),
        (("train",), "config: which"),
        (("train", "--config", "b0", "--epochs", "0"), "schedule.epochs: 0"),
        (("train", "--config", STUDENT), "for distillation, not for instance"),
        (("train", "--config", "b0", "--resume", "nowhere/*.pth"), "resume: no file matches nowhere"),
        (("train", "--config", "b0", "--train_ann", "nowhere.json"), "nowhere.json"),
        (("distill", "--student_config", "b0-from-b7"), "teacher_checkpoint: which"),
    ],
)
def test_errors_name_what_is_wrong(arguments: tuple[str, ...], text: str) -> None:
    *_, line = invoke(*arguments, code=2).splitlines()
    assert line.startswith("error: ")
    assert text in line
