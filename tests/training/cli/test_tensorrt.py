"""``hiseg-train tensorrt`` writes what Triton reads, and a script that does what it says.

A program of the test's stands for NVIDIA's ``trtexec``, which needs a GPU: it writes down what it is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from onnx import helper
from tritonclient.grpc.model_config_pb2 import ModelConfig
from typer.testing import CliRunner

from hiseg.models.repository import stored_versions
from hiseg_training.cli.main import app
from hiseg_training.export.triton import configurations


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["tensorrt", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


CANVASES = ((96, 128), (128, 96))


@pytest.fixture
def repository(of_floats: Path, tmp_path: Path) -> Path:
    for version in ("1", "2"):
        folder = tmp_path / "models" / "hiseg_b0" / version
        folder.mkdir(parents=True)
        shutil.copy(of_floats, folder / "model.onnx")
        (folder / "canary.png").write_bytes(version.encode())
    return tmp_path / "models"


def test_triton_reads_the_configuration(repository: Path, of_floats: Path) -> None:
    call("hiseg_b0", "--repository", repository)
    plans = text_format.Parse((repository / "hiseg_b0_trt" / "config.pbtxt").read_text(), ModelConfig())
    texts = configurations("hiseg_b0", of_floats)
    onnx_ones = text_format.Parse(texts["config.pbtxt"], ModelConfig())
    assert (plans.name, plans.backend) == ("hiseg_b0_trt", "tensorrt")
    assert list(plans.instance_group[0].profile) == [str(number) for number in range(len(CANVASES))]
    for field in ("input", "output", "model_warmup", "max_batch_size", "parameters"):
        assert getattr(plans, field) == getattr(onnx_ones, field)


def test_onnx_runtime_may_give_to_tensorrt_what_it_can(of_floats: Path) -> None:
    accelerated = text_format.Parse(configurations("hiseg_b0", of_floats)["configs/tensorrt.pbtxt"], ModelConfig())
    (accelerator,) = accelerated.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["precision_mode"] == "FP16"
    accelerated.ClearField("optimization")
    assert accelerated == text_format.Parse(configurations("hiseg_b0", of_floats)["config.pbtxt"], ModelConfig())


def test_the_script_builds_each_version_with_a_profile_a_canvas(repository: Path, tmp_path: Path) -> None:
    call("hiseg_b0", "--repository", repository, "--people", 32, "--images", 2, "--full-precision")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "trtexec").write_text(
        '#!/bin/sh\nfor one in "$@"; do\n  echo "$one" >> "$SAID"\n'
        '  case "$one" in --saveEngine=*) echo plan > "${one#--saveEngine=}";; esac\ndone\n'
    )
    (programs / "trtexec").chmod(0o755)
    said = tmp_path / "said"
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "SAID": str(said)}
    subprocess.run(["sh", repository / "hiseg_b0_trt" / "build.sh"], env=environment, check=True, cwd=tmp_path)
    for version in ("1", "2"):
        built = repository / "hiseg_b0_trt" / version
        assert sorted(path.name for path in built.iterdir()) == ["canary.png", "model.plan"]
        assert (built / "canary.png").read_bytes() == version.encode()
    arguments = said.read_text().split("\n")
    assert "--onnx=../hiseg_b0/2/model.onnx" in arguments
    assert "--fp16" not in arguments
    largest = [re.findall(r"\d+", argument) for argument in arguments if argument.startswith("--maxShapes=")]
    assert largest == [["2", "3", str(h), str(w), "32", "5"] for h, w in CANVASES] * 2
    assert "hiseg_b0_trt" not in stored_versions(repository), "the embedded engine leaves plans alone"


def test_what_tensorrt_cannot_build_is_refused(repository: Path) -> None:
    path = repository / "hiseg_b0" / "2" / "model.onnx"
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("NonZero", ["rois"], ["where"]))
    onnx.save(model, path)
    said = call("hiseg_b0", "--repository", repository, code=2)
    assert "NonZero has a shape that depends on data" in said
    assert "`export --dtype float32`" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("hiseg_b9",), "no version of hiseg_b9"), (("hiseg_b0", "--people", 0), "0 is less than 1")],
)
def test_invalid_arguments_are_refused_with_the_reason(
    repository: Path, arguments: tuple[object, ...], said: str
) -> None:
    assert said in call(*arguments, "--repository", repository, code=2)
