"""Turns the part of a graph that lies behind convolutions into FP16, with casts where it begins and ends.

ONNX Runtime's converter would round the coordinates of people first, and give the rounded ones to what is to stay FP32.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CONVOLUTIONS = ("Conv", "ConvTranspose")
STAY = ("RoiAlign", "Cast", "Range")
"""They take coordinates, or say themselves which type they give."""


def graph_to_fp16(graph: onnx.GraphProto) -> None:
    """Do so in place.

    Args:
        graph: in the order in which nodes can be run, with the types of its values inferred.
    """
    floats = {
        value.name
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    behind = _behind_convolutions(graph)
    made = {name for index in behind for name in graph.node[index].output if name in floats}
    outputs = {output.name for output in graph.output}
    nodes: list[onnx.NodeProto] = []
    there: dict[tuple[str, int], str] = {}

    def cast(name: str, to: int) -> str:
        if (name, to) not in there:
            there[name, to] = f"{name}_as_{'fp16' if to == TensorProto.FLOAT16 else 'fp32'}"
            nodes.append(helper.make_node("Cast", [name], [there[name, to]], to=to, name=f"cast_{there[name, to]}"))
        return there[name, to]

    def half_weight(name: str) -> str:
        if f"{name}_half" not in halves:
            values = numpy_helper.to_array(weights[name]).astype(np.float16)
            halves[f"{name}_half"] = numpy_helper.from_array(values, f"{name}_half")
        return f"{name}_half"

    halves: dict[str, onnx.TensorProto] = {}
    for number, node in enumerate(graph.node):
        for index, name in enumerate(node.input):
            if number not in behind:
                if name in made:
                    node.input[index] = cast(_inner(name, outputs), TensorProto.FLOAT)
            elif node.op_type == "Resize" and index:
                continue  # scales are FP32 whatever is resized
            elif name in weights:
                node.input[index] = half_weight(name)
            elif name in made:
                node.input[index] = _inner(name, outputs)
            elif name in floats:
                node.input[index] = cast(name, TensorProto.FLOAT16)
        nodes.append(node)
        if number in behind:
            for index, name in enumerate(node.output):
                if name in made and name in outputs:
                    node.output[index] = _inner(name, outputs)
                    nodes.append(helper.make_node("Cast", [node.output[index]], [name], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *halves.values()])


def _inner(name: str, outputs: set[str]) -> str:
    """What the half of a value is called; outputs keep their names for what callers get."""
    return f"{name}_in_half" if name in outputs else name


def _behind_convolutions(graph: onnx.GraphProto) -> set[int]:
    """Numbers of nodes that a convolution's result comes to, other than by its shape; the convolutions too."""
    reached: set[str] = set()
    behind = set()
    for number, node in enumerate(graph.node):
        if node.op_type in CONVOLUTIONS or (reached & set(node.input) and node.op_type not in ("Shape", *STAY)):
            behind.add(number)
        if node.op_type in CONVOLUTIONS or (reached & set(node.input) and node.op_type != "Shape"):
            reached.update(node.output)
    return behind
