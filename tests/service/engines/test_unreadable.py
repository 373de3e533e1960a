"""Files that are no models are told apart in plain words, and what would never end isn't read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine
from tests.service.engines.upstream_files import UpstreamFile

SMALL = UpstreamFile(canvas=(48, 64), mask=(16, 12))
CONTENTS = {
    b"": "it is empty",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "git lfs pull",
    b"PK\x03\x04\x14\x00": "hiseg-train export",
    b'{"model": "b0"}\n': "it is a text",
    b"<!doctype html><html>not found": "it is a text",
    b"\x89PNG\r\n\x1a\n": "it is an image",
    b"\x1f\x8b\x08\x00": "it is compressed by gzip",
    bytes(1000): "it is no ONNX file, or is damaged or cut off",
    bytes(range(256)) * 9: "it is no ONNX file, or is damaged or cut off",
}


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as refused:
        OnnxEngine(path, "any", "1", threads=1)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert len(said.splitlines()) == 1
    assert "onnxruntime_src" not in said
    assert "ONNXRuntimeError" not in said
    return said


@pytest.mark.parametrize(("content", "said"), CONTENTS.items(), ids=CONTENTS.values())
def test_what_a_file_is_that_is_no_model(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert said in refusal(tmp_path / "model.onnx")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_half_a_copy(kept: float, tmp_path: Path) -> None:
    path = SMALL.save(tmp_path / "model.onnx")
    os.truncate(path, int(path.stat().st_size * kept))
    assert "cut off" in refusal(path)


def set_opset(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 99


def set_format(proto: onnx.ModelProto) -> None:
    proto.ir_version = 99


def use_a_custom_operator(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].domain, proto.graph.node[0].op_type = "com.acme", "Secret"
    proto.opset_import.add(domain="com.acme", version=1)


def leave_weights_out(proto: onnx.ModelProto) -> None:
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "doubt")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (set_opset, "Opset 99"),
        (set_format, "Unsupported model IR version: 99"),
        (use_a_custom_operator, "com.acme:Secret"),
        (leave_weights_out, "weights.bin"),
    ],
)
def test_what_this_runtime_lacks(edit: Callable[[onnx.ModelProto], None], said: str, tmp_path: Path) -> None:
    proto = onnx.load(SMALL.save(tmp_path / "model.onnx"))
    edit(proto)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    assert said in refusal(tmp_path / "model.onnx")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "dangling.onnx").symlink_to("nowhere")
    version = tmp_path / "1"
    version.mkdir()
    assert "it is a folder" in refusal(version)
    SMALL.save(version / "model.onnx")
    assert "the model is its model.onnx" in refusal(version)
    assert "no regular file" in refusal(tmp_path / "pipe.onnx")
    assert "no regular file" in refusal(Path("/dev/zero"))
    assert "No such file" in refusal(tmp_path / "dangling.onnx")
