"""Smaller numbers decide as FP32 does, and leave alone what must not be rounded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import PIL.Image
import pytest
from onnx import TensorProto

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import B0
from benchmarks.harness.triton.models import other_masks
from benchmarks.precision import in_fp32_and_fp16
from hiseg.engines.onnx_file import weights_of
from hiseg_training.export.forms import Precision
from hiseg_training.export.onnx import read_metadata, write_metadata
from hiseg_training.export.optimize import optimize
from hiseg_training.export.parity import ParityError
from hiseg_training.export.precision import ModelInputs, check_agreement, noise_inputs, to_fp16, to_int8
from hiseg_training.export.write import convert
from tests.service.models.int8_models import quantized

SMALL = ((96, 64), (64, 96))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published B0 with its weights in FP32, however it is stored."""
    return in_fp32_and_fp16(B0, tmp_path_factory.mktemp("single"))[Precision.FP32]


def test_fp16_is_half_as_large_and_computes_in_fp32(single: Path, tmp_path: Path) -> None:
    fp16 = tmp_path / "model.onnx"
    to_fp16(single, fp16)
    assert fp16.stat().st_size < 0.56 * single.stat().st_size
    assert check_agreement(single, fp16, Precision.FP16, noise_inputs(SMALL, "uint8")) > 0.999
    assert read_metadata(fp16) == read_metadata(single)
    before, after = (ort.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (single, fp16))
    for tensors in (lambda s: s.get_inputs(), lambda s: s.get_outputs()):
        assert [(t.name, t.type) for t in tensors(before)] == [(t.name, t.type) for t in tensors(after)]
    graph = onnx.load(fp16).graph
    halves = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    assert halves
    assert {node.op_type for node in graph.node if halves.intersection(node.input)} == {"Cast"}


def sample() -> Iterator[ModelInputs]:
    """Yield the sample photo with its people: INT8 fits what it was calibrated on, which noise isn't."""
    with PIL.Image.open(SAMPLE) as picture:
        width, height = picture.size
        pixels = np.asarray(picture.convert("RGB").resize((640, 384))).transpose(2, 0, 1)[None]
    boxes = np.array(SAMPLE_BOXES, dtype=np.float32) / np.array([width, height] * 2, dtype=np.float32)
    yield ModelInputs(pixels, np.column_stack([np.zeros(len(boxes)), boxes]).astype(np.float32))


def test_int8_is_a_quarter_as_large_and_decides_alike(single: Path, tmp_path: Path) -> None:
    to_int8(single, tmp_path / "model.onnx", sample())
    assert (tmp_path / "model.onnx").stat().st_size < 0.3 * single.stat().st_size
    assert check_agreement(single, tmp_path / "model.onnx", Precision.INT8, sample()) > 0.97
    assert read_metadata(tmp_path / "model.onnx") == read_metadata(single)
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    none = {"images": np.zeros((1, 3, 96, 64), np.uint8), "rois": np.zeros((0, 5), np.float32)}
    assert session.run(["masks"], none)[0].shape == (0, 3, 128, 96)
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_a_conversion_with_different_masks_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(other_masks())
    with pytest.raises(ParityError, match=r"of the cells alike; at least 99\.50% is taken"):
        check_agreement(B0, other, Precision.FP16, noise_inputs(SMALL, "uint8"))


def test_a_file_is_called_what_its_weights_are_in(single: Path, tmp_path: Path) -> None:
    assert (weights_of(single), read_metadata(single)["precision"]) == ("fp32", "fp32")
    assert weights_of(B0) == "fp16"
    kept, mended, wrong = (tmp_path / name for name in ("kept.onnx", "mended.onnx", "wrong.onnx"))
    optimize(B0, kept)
    assert (weights_of(kept), read_metadata(kept)["precision"]) == ("fp16", "fp16")
    assert kept.stat().st_size == pytest.approx(B0.stat().st_size, rel=0.01)
    shutil.copy(single, wrong)
    write_metadata(wrong, read_metadata(wrong) | {"precision": "fp16"})
    optimize(wrong, mended)
    assert (weights_of(mended), read_metadata(mended)["precision"]) == ("fp32", "fp32")


def test_no_precision_is_made_of_int8(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(quantized())
    with pytest.raises(ValueError, match=r"model\.onnx is in int8, of which no fp16 file can be made"):
        convert(path, tmp_path / "fp16.onnx", Precision.FP16)
    with pytest.raises(SystemExit, match="is in int8; name a file in fp32 or fp16"):
        in_fp32_and_fp16(path, tmp_path)
