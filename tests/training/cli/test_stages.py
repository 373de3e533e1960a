"""The commands of the three stages, in upstream's spelling, on a few drawn images."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
import torch

from hiseg_training.compat.names import NAMES
from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.names import short
from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.models.torchvision_shim import declare_missing_operators
from tests.training.engine.runs import annotations, boxes_only, content, invoke, only, small

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


def test_train_starts_from_a_pattern_and_leaves_the_coarse_stage_as_it_is(
    drawn: Path, experiments: Path, tmp_path: Path
) -> None:
    said = invoke(
        *("train", "--config", B0, *annotations(drawn), "--epochs", 1, "--batch-size", 8, "--output", tmp_path),
        *("--pretrained_checkpoint", f"{experiments}/*/checkpoints/best_foreground_*.pth", "--learning_rate", "1e-5"),
        *small(),
    )
    assert "the newest of 2" in said
    named = only(tmp_path, f"{B0}/checkpoints/best_model_b0_*.pth")
    score = float(named.stem.rpartition("_")[2])
    assert f"best: {score:.4f} in epoch 1 of 1, {named.name}" in said
    assert re.search(rf"epoch 1 of 1, step 2, 0\.\d min: val {score:.4f}, train 0\.\d{{4}}, loss \d\.\d{{4}}\n", said)
    val = annotations(drawn)[3]
    assert f"next: hiseg-train publish {named} --name my_model --val-ann {val}\n" in said
    before = load_checkpoint(only(experiments, f"{B0}_pretrain/checkpoints/foreground_epoch_0001_*")).state_dict()
    path = only(tmp_path, f"{B0}/checkpoints/best_model_b0_*.pth")
    after = load_checkpoint(path).state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fine"}
    assert content(path)["configuration"]["schedule"]["learning_rate"] == 1e-5
    # What a shell makes of a pattern without quotes.
    expanded = sorted(tmp_path.glob("*/checkpoints/checkpoint_epoch_*.pth"))
    expanded += sorted(tmp_path.glob("*/checkpoints/best_model_epoch_*.pth"))
    said = invoke("train", "--config", B0, "--resume", *expanded, "--epochs", 2)
    assert "resume: " in said
    assert len(list(tmp_path.glob("*/checkpoints/checkpoint_epoch_000[12]_96x64_*.pth"))) == 2


def test_distill_and_resume(drawn: Path, experiments: Path, tmp_path: Path) -> None:
    boxes = boxes_only(drawn, tmp_path)
    best = only(experiments, "*/checkpoints/best_foreground_b0_*.pth")
    student = ("--student_config", STUDENT, "--teacher_checkpoint", best, "--output", tmp_path)
    common = ("--teacher_config", STUDENT, *student)
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
    refused = invoke("distill", *student, "--teacher_config", TEACHER, *annotations(drawn), code=2)
    assert "teacher_checkpoint: it holds a b0, but teacher_config says b7" in refused


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands for one of upstream's UNets, which can't be had here: random weights under the keys of its students."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("ext_extractor") / "best_model_b0_0.8551.pth"
    torch.save({"model_state_dict": {f"unet.{k}": v for k, v in UNetStage("b0").net.state_dict().items()}}, path)
    return path


def test_a_students_encoder_joins_in_block_by_block_under_an_upstream_unet(
    drawn: Path, experiments: Path, unet: Path, tmp_path: Path
) -> None:
    best = only(experiments, "*/checkpoints/best_foreground_b0_*.pth")
    said = invoke(
        *("distill", "--teacher_config", STUDENT, "--student_config", STUDENT, "--teacher_checkpoint", unet),
        *("--pretrained_checkpoint", best, *annotations(drawn), "--epochs", 3, "--batch_size", 8),
        *("--output", tmp_path, *small("distillation.unfreezing.start=1", "distillation.unfreezing.every=1")),
    )
    assert "unfreezing: none" not in said
    states = [content(path)["current_model_state"] for path in sorted(tmp_path.glob("*/checkpoints/distillation_*"))]
    states.insert(0, {f"model.{name}": value for name, value in load_checkpoint(best).state_dict().items()})
    coarse = [name for name in states[0] if name.startswith("model.coarse")]
    moved = [
        {".".join(name.split(".")[1:5]) for name in coarse if not torch.equal(before[name], after[name])}
        for before, after in itertools.pairwise(states)
    ]
    encoder = [sorted(part for part in parts if part.startswith("coarse.encoder")) for parts in moved]
    deepest, next_one = "coarse.encoder.stages.4", "coarse.encoder.stages.3"
    assert encoder == [[], [deepest], [next_one, deepest]]
    assert all({"coarse.head.weight", "coarse.head.bias"} <= parts for parts in moved)


@pytest.mark.parametrize("stage", ["pretrain", "train"])
def test_an_upstream_unet_becomes_the_coarse_stage(stage: str, drawn: Path, unet: Path, tmp_path: Path) -> None:
    chosen = ("--config", B0, "--pretrained_checkpoint", unet, *annotations(drawn), "--output", tmp_path)
    said = invoke(stage, *chosen, "--epochs", 1, "--batch_size", 2, *small("data.limit=2"))
    assert f"{unet}: a b0 UNet, which becomes the coarse stage" in said
    after = load_checkpoint(only(tmp_path, "*/checkpoints/best_*_b0_*.pth")).coarse.state_dict()
    before = content(unet)["model_state_dict"]
    stays = [torch.equal(value, after[f"net.{name.removeprefix('unet.')}"]) for name, value in before.items()]
    assert all(stays) if stage == "train" else not all(stays)


@pytest.mark.parametrize("stage", ["pretrain", "train"])
def test_both_learn_from_boxes_that_a_model_outlines(
    stage: str, drawn: Path, experiments: Path, tmp_path: Path
) -> None:
    """What a model outlines counts as the truth: in stage 1 twice the photos make twice the steps."""
    boxes = boxes_only(drawn, tmp_path)
    given = ("--boxes_ann", boxes, "--boxes_images", drawn / "images" / "train2017")
    common = (stage, "--config", B0, *annotations(drawn), "--epochs", 1, "--batch_size", 8, *given)
    refused = invoke(*common, code=2)
    assert "error: boxes_teacher: which?" in refused
    best = only(experiments, "*/checkpoints/best_foreground_b0_*.pth")
    invoke(*common, "--boxes_teacher", best, "--output", tmp_path, *small())
    assert content(only(tmp_path, "*/checkpoints/[!b]*_epoch_0001_*"))["global_step"] == 2


@pytest.mark.parametrize("family", [("model.family=efficientnet",), ("model.coarse_family=unet",)])
def test_pretrained_weights_that_cannot_be_had_are_named(
    family: tuple[str, ...], drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise OSError("no route to host")  # stands for a server of weights that can't be reached

    declare_missing_operators()
    monkeypatch.setattr("timm.create_model", nowhere)
    monkeypatch.setattr("segmentation_models_pytorch.Unet", nowhere)
    said = invoke("train", "--config", "b0", *annotations(drawn), *small(*family, "model.pretrained=true"), code=2)
    assert "error: model.pretrained: no weights for " in said
    assert "no route to host" in said


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
