"""Triton's configurations say what the file says; the server itself reads them in ``tests/benchmarks/harness``."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.harness.repository import REPOSITORY
from hiseg_training.export.triton import configurations, write_configurations

MODELS = sorted(folder for folder in REPOSITORY.iterdir() if folder.is_dir())


def tiny(path: Path, metadata: dict[str, str]) -> Path:
    """A file with the contract's tensors, free images and a mask of 8 x 6; its graph is of no account."""
    tensors = {
        name: helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("images", TensorProto.FLOAT, ["b", 3, "h", "w"]),
            ("rois", TensorProto.FLOAT, ["n", 5]),
            ("masks", TensorProto.FLOAT, ["n", 3, 8, 6]),
            ("binary_masks", TensorProto.FLOAT, ["b", 1, "h", "w"]),
        )
    }
    inputs, outputs = [tensors["images"], tensors["rois"]], [tensors["masks"], tensors["binary_masks"]]
    model = helper.make_model(helper.make_graph([], "tiny", inputs, outputs))
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_repository_holds_what_is_written_today(folder: Path) -> None:
    newest = max((path for path in folder.glob("*/model.onnx")), key=lambda path: int(path.parent.name))
    for path, text in configurations(folder.name, newest).items():
        assert (folder / path).read_text() == text, f"{folder / path} isn't what write_configurations writes"


def test_one_configuration_for_the_gpu_and_one_for_the_cpu(tmp_path: Path) -> None:
    model = tiny(tmp_path / "model.onnx", {"canvases": "[[32, 48], [48, 32]]", "names": '["a \\"b\\"", "ä\\n"]'})
    write_configurations(tmp_path, "people_b1", model)
    gpu, cpu = (tmp_path / "config.pbtxt").read_text(), (tmp_path / "configs" / "cpu.pbtxt").read_text()
    assert gpu.replace("KIND_GPU", "KIND_CPU") == cpu
    assert "KIND_GPU" in gpu
    assert 'name: "people_b1"' in gpu
    assert '{ name: "images" data_type: TYPE_FP32 dims: [ -1, 3, -1, -1 ] }' in gpu
    assert '{ name: "masks" data_type: TYPE_FP32 dims: [ -1, 3, 8, 6 ] }' in gpu
    assert [gpu.count(f"dims: [ 1, 3, {size} ]") for size in ("32, 48", "48, 32")] == [1, 1]


def test_a_file_that_names_no_canvases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="canvases"):
        configurations("a_b0", tiny(tmp_path / "model.onnx", {"variant": json.dumps("b0")}))
