"""Files that can't be served are told apart, each for its own reason; those that can are run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from service.cli import app
from tests.service.seed_files import Generation, SeedFile

CANVAS, MASK = (48, 64), (16, 12)


def check(path: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["models", "check", str(path), "--threads", "1", *options])
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return SeedFile(Generation.LOGITS, CANVAS, MASK).save(tmp_path / "best_model_b1_80x60_0.8551_dil1.onnx")


@pytest.mark.parametrize("generation", Generation)
def test_both_generations_are_told_and_run(tmp_path: Path, generation: Generation) -> None:
    path = SeedFile(generation, CANVAS, MASK).save(tmp_path / "best_model_b1_80x60_0.8551_dil1.onnx")
    code, text = check(path, "--json")
    report = json.loads(text)
    assert code == 0
    assert report["fits"]
    facts = {fact["what"]: fact["value"] for fact in report["facts"]}
    assert facts["variant"] == "b1"
    assert facts["canvases"] == "48x64"
    assert facts["mask size"] == "16x12"
    assert facts["people"].startswith(f"{generation.value[0]}:")
    assert [(run["images"], run["people"]) for run in report["runs"]] == [(1, 0), (1, 1), (1, 3), (2, 3)]


def test_what_the_service_makes_of_missing_metadata_is_said(file: Path) -> None:
    code, text = check(file)
    assert code == 0
    assert "keeps the tensor contract" in text
    assert "pictures are stretched to the canvas" in text


def test_a_model_in_a_repository_is_called_by_its_folder(tmp_path: Path) -> None:
    path = SeedFile(Generation.LOGITS, CANVAS, MASK).save(tmp_path / "hiseg_b7" / "1" / "model.onnx")
    facts = {fact["what"]: fact["value"] for fact in json.loads(check(path, "--json")[1])["facts"]}
    assert facts["variant"] == "b7"


@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256)) * 8])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    code, text = check(path)
    assert code == 1
    assert "can't be served" in text
    assert "ONNX Runtime cannot open it" in text


def test_half_a_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert check(file)[0] == 1


def test_another_kind_of_model_is_refused_for_all_that_is_wrong(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["scores"])],
        "classifier",
        [helper.make_tensor_value_info("images", TensorProto.DOUBLE, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.DOUBLE, [1, 4, 8, 8])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), tmp_path / "m.onnx")
    code, text = check(tmp_path / "m.onnx")
    assert code == 1
    for reason in (
        "inputs are ['images'], not images and rois",
        "outputs are ['scores'], not masks (or instance_masks) and binary_masks",
        "not uint8 or float32",
        "images are 1 at a time",
        "images have 4 channels",
    ):
        assert reason in text


def test_a_canvas_that_is_said_nowhere_is_refused(file: Path) -> None:
    model = onnx.load(file)
    for side, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        side.dim_param = name
    onnx.save(model, file)
    code, text = check(file)
    assert code == 1
    assert "the canvas is neither in its metadata nor in the shape of images" in text


def test_answers_that_are_not_what_the_file_says_are_found_by_running_it(tmp_path: Path) -> None:
    """Its shapes are right, but its masks aren't numbers."""
    path = SeedFile(Generation.LOGITS, CANVAS, MASK).save(tmp_path / "hiseg_b0.onnx")
    model = onnx.load(path)
    (doubt,) = (tensor for tensor in model.graph.initializer if tensor.name == "doubt")
    doubt.CopyFrom(onnx.numpy_helper.from_array(np.array([np.nan], np.float32), "doubt"))
    onnx.save(model, path)
    code, text = check(path)
    assert code == 1
    assert "aren't finite" in text
