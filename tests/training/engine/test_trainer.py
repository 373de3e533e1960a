"""A run that is killed and resumed is the run that wasn't; two processes are one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from hiseg_training.cli.main import app
from hiseg_training.engine.checkpoints import load_checkpoint
from tests.training.engine.runs import annotations, assert_same, boxes_only, content, invoke, only, small

BIN = Path(sys.executable).parent
THREADS = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
STATE = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "epoch", "global_step")


def command(drawn: Path, output: Path, *more: str) -> list[str]:
    return ["train", "--config", "b0", *annotations(drawn), "--batch_size", "4", "--output", str(output), *small(*more)]


@pytest.fixture(scope="module")
def whole(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of two epochs without a break."""
    output = tmp_path_factory.mktemp("whole")
    invoke(*command(drawn, output, "schedule.keep=1"), "--epochs", 2)
    return only(output, "*/checkpoints")


def test_the_last_few_and_the_best_are_kept(whole: Path) -> None:
    assert [int(path.name.split("_")[2]) for path in sorted(whole.glob("checkpoint_epoch_*_96x64_*.pth"))] == [2]
    best = only(whole, "best_model_epoch_*_96x64_*.pth")
    named = only(whole, "best_model_b0_64x48_*.pth")
    score = float(named.stem.split("_")[-1])
    assert best.stem.split("_")[-1] == f"{round(score * 1000):04d}"
    assert best.read_bytes() == named.read_bytes()
    assert len(list(whole.iterdir())) == 3
    assert list(whole.parent.glob("logs/events.*"))


def test_a_checkpoint_is_a_model_and_says_what_it_is(whole: Path) -> None:
    last = only(whole, "checkpoint_epoch_0002_*")
    model, found = load_checkpoint(last), content(last)
    assert model.config.hierarchical
    assert found["configuration"]["data"]["canvas"] == [96, 64]
    state = model.state_dict()
    averaged, current = (
        {k: found[part]["model." + k] for k in state} for part in ("state_dict", "current_model_state")
    )
    assert_same(dict(state), averaged)
    assert any(not torch.equal(averaged[k], current[k]) for k in state)


def test_a_killed_and_resumed_run_gives_the_same_model(drawn: Path, whole: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        # Its samples are made elsewhere too: that must not matter.
        [BIN / "hiseg-train", *command(drawn, tmp_path, "schedule.keep=1", "data.workers=1"), "--epochs", "2"],
        env=os.environ | THREADS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/checkpoints/checkpoint_epoch_0001_*.pth")):
            assert process.poll() is None, process.communicate()[0].decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    folder = only(tmp_path, "*/checkpoints")
    assert all("configuration" in content(path) for path in folder.glob("*.pth"))
    pattern = f"{tmp_path}/*/checkpoints/checkpoint_epoch_*.pth"
    said = invoke("train", "--resume", pattern, "--set", "data.workers=0")
    assert "resume: " in said
    ours, theirs = (content(only(f, "checkpoint_epoch_0002_*")) for f in (folder, whole))
    for part in STATE:
        assert_same(ours[part], theirs[part], part)


def one_step(drawn: Path, teacher: Path, output: Path) -> list[list[str]]:
    """Commands of one step with all images: stage 3, and stage 2 with some that nobody has outlined."""
    # Batch norm sees the people of its own process only; this one sees each person alone.
    alike = "model.normalization=layernorm2d"
    # At the kink of a ReLU the order of summation may decide about a whole gradient.
    smooth = "model.activation=silu"
    settings = (alike, smooth, "loss.class_weights=[1,1,1]", "loss.boundary=0",
                "loss.separation=0", "loss.contour=0", "loss.identity=0")  # fmt: skip
    train = [*command(drawn, output / "train", *settings), "--epochs", "1", "--batch_size", "16"]
    # What the teacher's features amount to is asked of each process's images.
    sets = small(alike, smooth, "distillation.weights.features=0")
    boxes = boxes_only(drawn, output)
    distill = ["distill", "--student_config", "b0-from-b7", "--teacher_checkpoint", str(teacher), *annotations(drawn)]
    distill += ["--boxes_ann", str(boxes), "--boxes_images", str(drawn / "images" / "train2017")]
    distill += ["--epochs", "1", "--batch_size", "16", "--output", str(output / "distill"), *sets]
    return [train, distill]


def run_commands(commands: list[list[str]]) -> None:
    """Entry point of each of two processes: run commands of ``hiseg-train`` one after the other."""
    # Threads of OpenMP don't survive a fork.
    torch.set_num_threads(1)
    for words in commands:
        assert not app(words, standalone_mode=False)


def launch(commands: list[list[str]]) -> None:
    """Run commands as ``torchrun --nproc_per_node 2`` does, in forks of a process that has done nothing but import.

    This one has threads of other tests' libraries, and a fork of it may crash.
    """
    multiprocessing.set_forkserver_preload(["hiseg_training.cli.stages", "hiseg_training.engine.trainer"])
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        run_id="test",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="forkserver",
        max_restarts=0,
        monitor_interval=0.05,
    )
    elastic_launch(config, run_commands)(commands)


def test_two_processes_train_the_same_model_as_one(drawn: Path, whole: Path, tmp_path: Path) -> None:
    teacher = only(whole, "best_model_b0_*")
    one, two = tmp_path / "one", tmp_path / "two"
    launch(one_step(drawn, teacher, two))
    for words in one_step(drawn, teacher, one):
        invoke(*words)
    for stage in ("train", "distill"):
        ours, theirs = (content(only(folder, f"{stage}/*/checkpoints/[cd]*_epoch_*001*.pth")) for folder in (one, two))
        assert ours["global_step"] == theirs["global_step"] == 1
        for name, value in ours["optimizer_states"][0]["state"].items():
            other = theirs["optimizer_states"][0]["state"][name]["exp_avg"]
            # The gradients' own average: what they were, up to the order of summation.
            torch.testing.assert_close(value["exp_avg"], other, rtol=1e-3, atol=1e-6)


def test_a_run_whose_loss_is_no_number_ends_and_saves_nothing(drawn: Path, tmp_path: Path) -> None:
    said = invoke(*command(drawn, tmp_path), "--epochs", 2, "--learning_rate", 1e30, code=2)
    assert "loss: it became nan in epoch 1; a lower schedule.learning_rate may help" in said
    assert not list(tmp_path.rglob("*.pth"))


def test_a_run_ends_when_nothing_gets_better(drawn: Path, tmp_path: Path) -> None:
    """Whatever else the precision is good for: with a rate this small no score changes."""
    settings = ("schedule.patience=1", "schedule.precision=bf16-mixed", "model.normalization=layernorm2d")
    # On a narrower canvas oneDNN 3.12 would convolve two columns at a stride of two, which it gets wrong in bfloat16.
    wide = "data.canvas=[96,96]"
    invoke(*command(drawn, tmp_path, *settings, wide), "--epochs", 9, "--learning_rate", 1e-60)
    last = only(tmp_path, "*/checkpoints/checkpoint_epoch_0002_*")
    assert not list(last.parent.glob("*epoch_0003*"))
    assert {value.dtype for value in content(last)["state_dict"].values()} == {torch.float32}
    said = invoke(*command(drawn, tmp_path, "schedule.precision=16-mixed"), code=2)
    assert "schedule.precision: 16-mixed needs a GPU" in said
