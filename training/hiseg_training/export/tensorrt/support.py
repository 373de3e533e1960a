"""Checks an ONNX graph against TensorRT's published list of operators, without TensorRT or a GPU (experimental)."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import numpy_helper

PUBLISHED = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip Concat
Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal
Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool
Greater GreaterOrEqual GridSample GRU HardSwish HardSigmoid Identity If InstanceNormalization IsNaN LeakyRelu Less
LessOrEqual Log LogSoftmax Loop LRN LSTM LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min
Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or Pad Pow PRelu QuantizeLinear RandomNormal RandomNormalLike
RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RNN RoiAlign Round Scan Scatter
ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth
Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
"""
"""Operators that TensorRT's ONNX parser supports, as published for 10.15: github.com/onnx/onnx-tensorrt,
docs/operators.md. Operators whose restrictions are not checked here are left out."""
OPERATORS = frozenset(PUBLISHED.split())
OPSETS = range(9, 25)
CONSTANT_INPUTS = {
    **dict.fromkeys((name for name in OPERATORS if name.startswith("Reduce")), (1,)),
    **dict.fromkeys(("CumSum", "Squeeze", "Unsqueeze"), (1,)),
}
"""Inputs, by index, that must be constants according to the same list."""
RESIZES = {
    "mode": {"nearest", "linear"},
    "coordinate_transformation_mode": {
        "half_pixel",
        "pytorch_half_pixel",
        "tf_half_pixel_for_nn",
        "asymmetric",
        "align_corners",
    },
    "keep_aspect_ratio_policy": {"stretch"},
}
SHAPE_INPUTS = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Tile": (1,),
    "TopK": (1,),
}
"""Inputs, by index, whose values decide the output's shape."""
DATA_DEPENDENT = frozenset({"Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Scan", "Unique"})
"""Operators whose output shape, or whether they run at all, depends on input values."""
QUANTISERS = frozenset({"DequantizeLinear", "QuantizeLinear"})


def problems(model: onnx.ModelProto) -> list[str]:
    """Return why TensorRT would refuse a graph or give it shapes that no profile can state, one line for each reason.

    An empty list does not mean that a plan can be built: only building one tells.
    """
    return list(dict.fromkeys([*_unsupported(model), *_data_dependent(model)]))


def _unsupported(model: onnx.ModelProto) -> Iterator[str]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    known = set(constants) | {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    raw = {entry.name for entry in model.graph.input if entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8}
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version not in OPSETS:
            yield f"opset {opset.version} is not one of {OPSETS[0]} to {OPSETS[-1]}"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            yield f"operator {node.op_type} isn't supported"
        for index in CONSTANT_INPUTS.get(node.op_type, ()):
            if _has_input(node, index) and node.input[index] not in known:
                yield f"input {index} of {node.op_type} isn't a constant"
        if node.op_type == "Resize":
            for attribute in node.attribute:
                value = attribute.s.decode()
                if attribute.name in RESIZES and value not in RESIZES[attribute.name]:
                    yield f"{attribute.name} of Resize is {value}"
                if attribute.name == "antialias" and attribute.i:
                    yield "antialias of Resize is on"
        if node.op_type in QUANTISERS and _has_input(node, 2):
            zero_point = constants.get(node.input[2])
            if zero_point is None or numpy_helper.to_array(zero_point).any():
                yield f"the zero point of {node.op_type} isn't zero"
        if raw & set(node.input) and node.op_type not in ("Cast", "Shape"):
            yield f"uint8 goes into {node.op_type}, where only Cast takes it"


def _data_dependent(model: onnx.ModelProto) -> Iterator[str]:
    """Yield nodes whose output shape depends on values; what derives from shapes and constants alone is known."""
    values = {entry.name for entry in model.graph.input} - {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in DATA_DEPENDENT:
            yield f"what comes out of {node.op_type} has a shape that depends on data"
        for index in SHAPE_INPUTS.get(node.op_type, ()):
            if _has_input(node, index) and node.input[index] in values:
                yield f"input {index} of {node.op_type} makes a shape of data"
        if node.op_type not in ("Shape", "Size") and values & set(node.input):
            values.update(node.output)


def _has_input(node: onnx.NodeProto, index: int) -> bool:
    return len(node.input) > index and bool(node.input[index])
