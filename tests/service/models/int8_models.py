"""A tiny model with a file in INT8 beside it, made once a process; and repositories of them."""

from __future__ import annotations

import io
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL.Image
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from hiseg.models.canary import Canary

CANVAS = (32, 48)


def tiny(
    variant: str = "b0",
    canvas: tuple[int, int] = CANVAS,
    mask_width: int = 12,
    bias: float = 1.0,
    is_fixed: bool = False,
) -> bytes:
    """A model whose masks fill their boxes if ``bias`` is positive, and are empty if it isn't.

    Args:
        variant, canvas: what its metadata says.
        mask_width: width of its masks.
        bias: what the target is ahead of the rest by, times 4.
        is_fixed: the graph takes images of that canvas only.
    """
    sides = canvas if is_fixed else ("h", "w")
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, *sides])
    rois = helper.make_tensor_value_info("rois", TensorProto.FLOAT, ["people", 5])
    masks = helper.make_tensor_value_info("masks", TensorProto.FLOAT, ["people", 3, 16, mask_width])
    binary = helper.make_tensor_value_info("binary_masks", TensorProto.FLOAT, ["batch", 1, *sides])
    weights = np.random.default_rng(0).uniform(-0.01, 0.01, (3, 3, 8, 8)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([0, 4 * bias, 0], np.float32), "bias"),
        numpy_helper.from_array(np.array([1, 1, 16, mask_width]), "shape"),
        numpy_helper.from_array(np.array([0]), "first"),
        numpy_helper.from_array(np.array([1]), "channel"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "weights", "bias"], ["logits"], name="conv", pads=[3, 3, 4, 4]),
        helper.make_node("GlobalAveragePool", ["logits"], ["means"]),
        helper.make_node("Slice", ["rois", "first", "channel", "channel"], ["index"]),
        helper.make_node("Cast", ["index"], ["rows"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["rows", "channel"], ["row"]),
        helper.make_node("Gather", ["means", "row"], ["seeds"]),
        helper.make_node("Expand", ["seeds", "shape"], ["masks"]),
        helper.make_node("ReduceMax", ["images", "channel"], ["binary_masks"], keepdims=1),
    ]
    graph = helper.make_graph(nodes, "tiny", [images, rois], [masks, binary], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    # Tools that quantise leave this as it was.
    helper.set_model_props(model, {"variant": variant, "canvases": json.dumps([canvas]), "precision": "fp32"})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@cache
def quantized(**changes: Any) -> bytes:
    """The same in INT8, as ONNX Runtime's own tool writes it."""

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        left = 2

        def get_next(self) -> dict[str, Any] | None:
            self.left -= 1
            images = np.random.default_rng(0).random((1, 3, *CANVAS), np.float32) * self.left
            return {"images": images, "rois": np.zeros((1, 5), np.float32)} if self.left >= 0 else None

    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "source.onnx", Path(folder) / "output.onnx"
        source.write_bytes(tiny(**changes))
        quantize_static(str(source), str(output), Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv"])
        proto, metadata = onnx.load(output), onnx.load(source).metadata_props
        helper.set_model_props(proto, {entry.key: entry.value for entry in metadata})
        return bytes(proto.SerializeToString())


def add_model(repository: Path, int8: bytes | None, name: str = "hiseg_b0", version: str = "1", **changes: Any) -> Path:
    """A version with a canary image, and with ``int8`` beside ``model.onnx``; returns its folder."""
    folder = repository / name / version
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(tiny(**changes))
    if int8 is not None:
        (folder / "model.int8.onnx").write_bytes(int8)
    photo = io.BytesIO()
    PIL.Image.new("RGB", (48, 32), (90, 120, 60)).save(photo, "JPEG")
    masks = np.zeros((32, 48), np.uint8)
    masks[4:28, 8:40] = 1
    Canary(photo.getvalue(), [[8.0, 4.0, 40.0, 28.0]], masks).save(folder)
    return folder
