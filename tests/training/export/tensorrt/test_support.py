"""What TensorRT's published list refuses is found in a graph, and nothing of it is in ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.harness.repository import B0
from hiseg_training.export.tensorrt.support import problems


def graph(*nodes: Any, **constants: Any) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", 3, "h", "w"]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5]),
    ]
    known = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    whole = helper.make_graph(nodes, "tried", inputs, [], known)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)])


def test_all_that_tensorrt_refuses_of_the_published_model_is_the_cut_of_its_canvases() -> None:
    assert all("Slice" in problem for problem in problems(onnx.load(B0)))


def test_nothing_is_refused_of_a_model_of_floats(of_floats: Path) -> None:
    assert problems(onnx.load(of_floats)) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (graph(helper.make_node("Unique", ["x"], ["y"])), "operator Unique isn't supported"),
        (graph(helper.make_node("Own", ["x"], ["y"], domain="mine")), "operator Own isn't supported"),
        (graph(helper.make_node("NonZero", ["x"], ["y"])), "NonZero has a shape that depends on data"),
        (graph(helper.make_node("Resize", ["x"], ["y"], mode="cubic")), "mode of Resize is cubic"),
        (graph(helper.make_node("Resize", ["x"], ["y"], antialias=1)), "antialias of Resize is on"),
        (graph(helper.make_node("ReduceMean", ["x", "x"], ["y"])), "input 1 of ReduceMean isn't a constant"),
        (graph(helper.make_node("Add", ["images", "images"], ["y"])), "uint8 goes into Add"),
        (graph(helper.make_node("Squeeze", ["x", "x"], ["y"])), "input 1 of Squeeze isn't a constant"),
        (
            graph(helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"]), s=np.float32(1), z=np.int8(3)),
            "the zero point of QuantizeLinear isn't zero",
        ),
        (
            graph(
                helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
                helper.make_node("Reshape", ["x", "whole"], ["y"]),
            ),
            "input 1 of Reshape makes a shape of data",
        ),
    ],
)
def test_each_problem_is_named(model: onnx.ModelProto, said: str) -> None:
    assert any(said in problem for problem in problems(model))


def test_shapes_made_of_shapes_are_no_problem() -> None:
    nodes = (
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["pixels"], ["shape"]),
        helper.make_node("Div", ["shape", "two"], ["half"]),
        helper.make_node("Resize", ["pixels", "", "", "half"], ["y"], mode="linear"),
        helper.make_node("QuantizeLinear", ["y", "s", "z"], ["q"]),
    )
    assert problems(graph(*nodes, two=np.int64(2), s=np.float32(1), z=np.int8(0))) == []
