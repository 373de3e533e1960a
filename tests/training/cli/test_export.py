"""``hiseg-train export`` and ``optimize`` as people call them."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.harness.repository import B0
from hiseg.engines.onnx import OnnxEngine
from hiseg_training.cli.main import app
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.checkpoints import save_checkpoint
from hiseg_training.export.onnx import read_metadata
from hiseg_training.models.hierarchical import HierarchicalModel
from tests.training.export.test_provenance import OURS


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output.strip()


def test_a_checkpoint_becomes_a_file_that_the_service_takes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig(fine_widths=(16, 16, 16, 16), coarse_widths=(16, 16, 16, 8))
    save_checkpoint(tmp_path / "named_b7.pt", HierarchicalModel(config), {})
    output = tmp_path / "folder" / "model.onnx"
    chosen = ("--image_size", "96,64", "--image-size", "64,96", "--dilation_pixels", 1, "--dtype", "float32")
    chosen += ("--provenance", OURS, "--precision", "fp16", "--opset", 20)
    said = call("export", tmp_path / "named_b7.pt", "--output", output, *chosen)
    assert "of the masks' cells are decided as in FP32" in said
    engine = OnnxEngine(output, "any", "1")
    engine.close()
    info = engine.info
    assert (info.ref.variant, info.canvases, info.takes_uint8) == ("b0", ((96, 64), (64, 96)), False)
    assert info.card["precision"] == "fp16"
    assert info.card["licence"].startswith("MIT for the weights")
    assert info.card["dilation_pixels"] == 1
    assert onnx.load(output).opset_import[0].version == 20
    assert ModelConfig.from_dict(json.loads(read_metadata(output)["config"])) == config


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--precision", "fp32"), "only the precision can be changed"),
        (("--precision", "fp16", "--opset", 20), "only the precision can be changed"),
        (("--precision", "fp16", "--provenance", OURS), "only the precision can be changed"),
        (("--image_size", "640"), "'640' is not H,W"),
        (("--image_size", "100,640"), "100,640 is not made of multiples of 32"),
        (("--opset", 11), "opset: 11 is not one of 18, 19, 20, 21"),
        (("--precision", "int8", "--data", "nowhere"), "HISEG_DATA"),
    ],
)
def test_invalid_options_are_refused_with_the_reason(arguments: tuple[object, ...], said: str, tmp_path: Path) -> None:
    assert said in call("export", B0, "--output", tmp_path / "model.onnx", *arguments, code=2)
    assert not list(tmp_path.iterdir())


def test_a_pattern_means_the_newest_file(tmp_path: Path) -> None:
    call("export", B0.parent / "model*.onnx", "--output", tmp_path / "half.onnx", "--precision", "fp16")
    assert read_metadata(tmp_path / "half.onnx")["precision"] == "fp16"
    assert "checkpoint: no file matches" in call("export", tmp_path / "*.pth", code=2)


def test_optimize_says_how_many_nodes_are_left(of_floats: Path, tmp_path: Path) -> None:
    said = call("optimize", of_floats, tmp_path / "new" / "model.onnx")
    nodes = len(onnx.load(of_floats).graph.node)
    assert said == f"{nodes} nodes became {nodes}; outputs differ by 0.0e+00 at most"
    assert read_metadata(tmp_path / "new" / "model.onnx") == read_metadata(of_floats)
