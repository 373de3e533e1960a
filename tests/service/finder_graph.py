"""A small graph that finds people: of a few fixed boxes those that are filled with red."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.service.three_graphs import CANVAS, PEOPLE, SIZE, repository_of_all

FINDER = "hiseg_find"
SEEN = (CANVAS[0] // 2, CANVAS[1] // 2)
"""(height, width) of its foreground: it sees half of the canvas."""
NOBODY = (140, 0, 165, 30)
"""A box that it looks into, too, and where nobody is."""


def save_finder(path: Path, boxes: Sequence[tuple[int, int, int, int]] = (*PEOPLE, NOBODY)) -> Path:
    """Write the graph; folders are made.

    Args:
        path: the file.
        boxes: where it looks, in pixels of :func:`tests.service.three_graphs.picture`; a box scores what part of it is
            red.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = CANVAS
    shares = np.array(boxes, np.float32) / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]], np.float32)
    inside = np.zeros((height, width, len(boxes)), np.float32)
    for index, (x1, y1, x2, y2) in enumerate(shares):
        rows, columns = slice(round(y1 * height), round(y2 * height)), slice(round(x1 * width), round(x2 * width))
        inside[rows, columns, index] = 1
    weights = (inside / inside.sum((0, 1))).reshape(-1, len(boxes))
    floats = {
        "redness": np.array([20, -20, 0], np.float32).reshape(1, 3, 1, 1),
        "doubt": np.array([-10], np.float32),
        "white": np.array(255, np.float32),
        "weights": weights,
        "shares": shares,
        "least": np.array(0.1, np.float32),
    }
    whole = {"flat": [0, -1], "one": [1], "zero": [0], "two": [2], "first": [0]}
    constants = [numpy_helper.from_array(value, name) for name, value in floats.items()]
    constants += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in whole.items()]
    nodes = [
        helper.make_node("Cast", ["images"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["grey", "white"], ["light"]),
        helper.make_node("Conv", ["light", "redness", "doubt"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["red"]),
        helper.make_node("AveragePool", ["red"], ["binary_masks"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["red", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["scores"]),
        helper.make_node("Greater", ["scores", "least"], ["is_there"]),
        helper.make_node("NonZero", ["is_there"], ["where"]),
        helper.make_node("Transpose", ["where"], ["pairs"], perm=[1, 0]),
        helper.make_node("Slice", ["pairs", "zero", "one", "one"], ["image_of"]),
        helper.make_node("Slice", ["pairs", "one", "two", "one"], ["box_of"]),
        helper.make_node("Cast", ["image_of"], ["image"], to=TensorProto.FLOAT),
        helper.make_node("Squeeze", ["box_of", "one"], ["box"]),
        helper.make_node("Gather", ["shares", "box"], ["corners"], axis=0),
        helper.make_node("GatherND", ["scores", "pairs"], ["score"]),
        helper.make_node("Unsqueeze", ["score", "one"], ["column"]),
        helper.make_node("Concat", ["image", "corners", "column"], ["boxes"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 3, height, width])]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["people", 6]),
        helper.make_tensor_value_info("binary_masks", TensorProto.FLOAT, ["batch", 1, *SEEN]),
    ]
    used = {name for node in nodes for name in node.input}
    constants = [constant for constant in constants if constant.name in used]
    graph = helper.make_graph(nodes, "find", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    helper.set_model_props(model, {"resize": "letterbox"})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def repository_with_finder(folder: Path) -> Path:
    """The three graphs and the finder, with the configurations that Triton needs."""
    repository_of_all(folder)
    save_finder(folder / FINDER / "1" / "model.onnx")
    (folder / FINDER / "config.pbtxt").write_text(
        f'name: "{FINDER}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
        f'input [ {{ name: "images" data_type: TYPE_UINT8 dims: [ -1, 3, {CANVAS[0]}, {CANVAS[1]} ] }} ]\n'
        'output [ { name: "boxes" data_type: TYPE_FP32 dims: [ -1, 6 ] }, '
        f'{{ name: "binary_masks" data_type: TYPE_FP32 dims: [ -1, 1, {SEEN[0]}, {SEEN[1]} ] }} ]\n'
        "instance_group [ { kind: KIND_CPU } ]\n"
    )
    return folder
