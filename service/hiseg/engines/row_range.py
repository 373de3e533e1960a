"""Edits an ONNX graph so that one run computes the masks of some people only, though it knows the boxes of all.

A crowd's activations would take gigabytes if all of its masks were computed at once. They can't be computed in runs
with some of the boxes each, because a person's mask depends on where *other* boxes of the image lie. But from some
tensors on, the crops and what goes with them, each row of the graph goes its way alone: there the rows that are wanted
are cut out. The files of models stay as they are; the edit is made in memory while a file is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from hiseg.engines.contract import MASK_OUTPUTS, ROIS

FIRST_ROW, END_ROW = "hiseg_first_row", "hiseg_end_row"
"""Inputs that the edit adds, int64 ``[1]``: masks are computed of the rows from the first to the one before the end."""
INT64 = 7
"""ONNX's number of the type."""
AXIS, ROWS = "hiseg_row_axis", "hiseg_rows"
"""Names in the edited graph: of the axis that is cut, and of the number of rows that are left."""
ALL_INPUTS, FIRST_INPUT = slice(None), slice(1)
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Max", "Min")
ROW_WISE: dict[str, slice] = {
    **dict.fromkeys((*ARITHMETIC, "Concat", "Relu", "LeakyRelu", "PRelu"), ALL_INPUTS),
    **dict.fromkeys(("Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Identity", "Cast", "MaxPool"), ALL_INPUTS),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "DepthToSpace", "SpaceToDepth"), ALL_INPUTS),
    **dict.fromkeys(("Conv", "ConvTranspose", "Resize", "Clip", "Pad", "BatchNormalization"), FIRST_INPUT),
    **dict.fromkeys(("InstanceNormalization", "QuantizeLinear", "DequantizeLinear", "QLinearConv"), FIRST_INPUT),
    "RoiAlign": slice(1, 3),
}
"""Operators each row of whose result is made of the same row of some of their inputs, and which inputs those are."""

# Number, name, type and repetition of the fields of ONNX's messages that are looked at or written here. All others are
# kept as they are.
FIELDS: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    "Attribute": ((1, "name", "string", False), (3, "i", "int64", False)),
    "Node": (
        (1, "input", "string", True),
        (2, "output", "string", True),
        (4, "op_type", "string", False),
        (5, "attribute", "Attribute", True),
    ),
    "Tensor": (
        (1, "dims", "int64", True),
        (2, "data_type", "int32", False),
        (7, "int64_data", "int64", True),
        (8, "name", "string", False),
    ),
    "Dimension": ((1, "dim_value", "int64", False), (2, "dim_param", "string", False)),
    "Shape": ((1, "dim", "Dimension", True),),
    "TensorType": ((1, "elem_type", "int32", False), (2, "shape", "Shape", False)),
    "Type": ((1, "tensor_type", "TensorType", False),),
    "ValueInfo": ((1, "name", "string", False), (2, "type", "Type", False)),
    "Graph": (
        (1, "node", "Node", True),
        (5, "initializer", "Tensor", True),
        (11, "input", "ValueInfo", True),
        (12, "output", "ValueInfo", True),
        (13, "value_info", "ValueInfo", True),
    ),
    "Model": ((7, "graph", "Graph", False),),
}


def with_row_range(model: bytes) -> bytes | None:
    """The model with the inputs :data:`FIRST_ROW` and :data:`END_ROW`, which choose the rows of its mask output.

    It is a proposal: whether rows are then the same as without the edit must be tried.

    Args:
        model: content of an ONNX file.

    Returns:
        The edited model; None if it has no place where rows could be cut out, or isn't a model at all.
    """
    try:
        proto: Any = MODEL.FromString(model)
    except DecodeError:
        return None
    graph = proto.graph
    mask_outputs = [name for name in MASK_OUTPUTS if name in {tensor.name for tensor in graph.output}]
    if not mask_outputs:
        return None
    _remove_outputs(graph, mask_outputs[1:])  # nobody asks for them, and they may need all rows
    nodes, cuts = _row_wise_part(graph, mask_outputs[0])
    if not cuts:
        return None
    for node in nodes:
        for index, name in enumerate(node.input):
            if name in cuts:
                node.input[index] = f"{name}_{ROWS}"
    graph.initializer.add(name=AXIS, data_type=INT64, dims=[1], int64_data=[0])
    for name in sorted(cuts):
        graph.node.add(op_type="Slice", input=[name, FIRST_ROW, END_ROW, AXIS], output=[f"{name}_{ROWS}"])
    _declare_shapes(graph)
    return bytes(proto.SerializeToString())


def _remove_outputs(graph: Any, names: Sequence[str]) -> None:
    """Remove outputs, and what nothing else needs: ONNX Runtime runs all nodes, and warns of idle constants."""
    kept = [tensor for tensor in graph.output if tensor.name not in names]
    needed, nodes = {tensor.name for tensor in kept}, []
    for node in reversed(graph.node):  # they are sorted: a tensor is made before it is used
        if not needed.isdisjoint(node.output):
            nodes.append(node)
            needed.update(node.input)
    for field, left in (("output", kept), ("node", [*reversed(nodes)])):
        graph.ClearField(field)
        getattr(graph, field).extend(left)
    # Each by itself: putting the others in anew would copy all weights.
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in needed:
            del graph.initializer[index]


def _declare_shapes(graph: Any) -> None:
    """Declare the new inputs, and that masks may have fewer rows than there are RoIs: buffers are shared by it."""
    del graph.value_info[:]
    people = {dim.dim_param for tensor in graph.input if tensor.name == ROIS for dim in _shape(tensor).dim[:1]} - {""}
    for tensor in graph.output:
        for dim in _shape(tensor).dim[:1]:
            if dim.dim_param in people:
                dim.dim_param = ROWS
    for name in (FIRST_ROW, END_ROW):
        tensor = graph.input.add(name=name)
        tensor.type.tensor_type.elem_type = INT64
        _shape(tensor).dim.add(dim_value=1)


def _shape(tensor: Any) -> Any:
    return tensor.type.tensor_type.shape


def _row_wise_part(graph: Any, output: str) -> tuple[list[Any], set[str]]:
    """The nodes between ``output`` and the last tensors whose rows affect each other, and the names of those."""
    made_by = {name: node for node in graph.node for name in node.output}
    of_rois = _dependent_on(graph.node, ROIS)
    nodes, cuts, seen, left = [], set(), set(), [output]
    while left:
        name = left.pop()
        if name in seen or name not in of_rois:
            continue
        seen.add(name)
        node = made_by.get(name)
        if node is not None and _is_row_wise(node):
            nodes.append(node)
            left += node.input[ROW_WISE[node.op_type]]
        else:
            cuts.add(name)
    return _later_cuts(graph, nodes, cuts - {output}, of_rois)


def _later_cuts(graph: Any, nodes: list[Any], cuts: set[str], of_rois: set[str]) -> tuple[list[Any], set[str]]:
    """Cut after arithmetic all of whose inputs would be cut: some of them may be one value for all rows.

    Where an image's boxes begin, for instance, is found by looking at all of them. What is computed from nothing but
    such values and rows has rows again, and takes next to no time.
    """
    wise, cuts = {node.output[0] for node in nodes}, set(cuts)
    for node in graph.node:  # they are sorted: a tensor is made before it is used
        name = node.output[0] if node.op_type in ARITHMETIC else ""
        if name in wise and cuts.issuperset(of_rois.intersection(node.input)):
            wise.remove(name)
            cuts.add(name)
    nodes = [node for node in nodes if node.output[0] in wise]
    return nodes, cuts.intersection(name for node in nodes for name in node.input)


def _is_row_wise(node: Any) -> bool:
    if node.op_type == "Concat":
        return any(attribute.name == "axis" and attribute.i for attribute in node.attribute)
    return node.op_type in ROW_WISE


def _dependent_on(nodes: Iterable[Any], name: str) -> set[str]:
    """Names of all tensors whose values, and not only whose shapes, depend on the tensor ``name``."""
    found = {name}
    for node in nodes:
        if node.op_type != "Shape" and not found.isdisjoint(node.input):
            found.update(node.output)
    return found


def _model_class() -> Any:
    types = descriptor_pb2.FieldDescriptorProto
    plain = {"string": types.TYPE_STRING, "int64": types.TYPE_INT64, "int32": types.TYPE_INT32}
    # proto3, in which numbers that repeat are packed: ONNX, which is proto2, reads and writes both.
    file = descriptor_pb2.FileDescriptorProto(name="hiseg/onnx_fields.proto", package="hiseg.onnx", syntax="proto3")
    for message, fields in FIELDS.items():
        described = file.message_type.add(name=message)
        for number, name, kind, repeated in fields:
            field = described.field.add(name=name, number=number)
            field.label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
            field.type = plain.get(kind, types.TYPE_MESSAGE)
            if kind not in plain:
                field.type_name = f".hiseg.onnx.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("hiseg.onnx.Model"))


MODEL = _model_class()
