"""Converts exported files to FP16 (for GPUs) and INT8 (for CPUs), and checks that masks stay the same.

Only convolutions and what lies behind them are converted. Box coordinates and the scaling of images come before the
first convolution and stay FP32: in FP16 a box on a canvas of 640 would move by half a pixel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.core.image import Floats, Size
from hiseg.engines.base import logit_margins
from hiseg.engines.contract import MASK_OUTPUTS
from hiseg_training.data.coco import Photo
from hiseg_training.export.forms import Precision
from hiseg_training.export.onnx import example_inputs
from hiseg_training.export.parity import ParityError

LEAST_AGREEMENT = {Precision.FP16: 0.995, Precision.INT8: 0.97}
"""Least share, 0..1, of mask cells that must be decided as in FP32."""
CALIBRATION_PHOTOS = 64


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The inputs of one run of a model.

    Attributes:
        images: ``[B, 3, H, W]``, uint8 0..255 or float32 0..1 as the model takes them.
        rois: float32 ``[N, 5]``.
    """

    images: Any
    rois: Floats


def photo_inputs(photos: Sequence[Photo], canvases: Sequence[Size], dtype: str) -> Iterator[ModelInputs]:
    """Yield photos with their people as model inputs, laid out on canvases as the service does."""
    for photo in photos:
        placement = choose_canvas(photo.height, photo.width, tuple(canvases))
        rois = placement.rois([person.box for person in photo.people])
        images = to_canvas(photo.pixels(), placement)[None]
        numbered = np.concatenate([np.zeros((len(rois), 1), np.float32), rois], axis=1)
        yield ModelInputs(images if dtype == "uint8" else images.astype(np.float32) / 255, numbered.astype(np.float32))


def noise_inputs(canvases: Sequence[Size], dtype: str) -> Iterator[ModelInputs]:
    """Yield smooth noise with three people on each canvas; it needs no photos."""
    for seed, canvas in enumerate(canvases):
        images, rois = example_inputs((1, 3, *canvas), 3, seed, dtype)
        yield ModelInputs(images.numpy(), rois.numpy())


def to_fp16(source: Path, output: Path) -> None:
    """Write a copy of an exported file in FP16 from the first convolutions on; inputs and outputs keep their types."""
    proto = onnx.shape_inference.infer_shapes(onnx.load(source))
    graph_to_fp16(proto.graph)
    del proto.graph.value_info[:]  # inferred types no longer hold
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, output)


def to_int8(source: Path, output: Path, calibration: Iterator[ModelInputs]) -> None:
    """Write a copy of an exported file with convolutions in INT8, one scale per output channel of the weights.

    The last convolution, which gives the logits, stays FP32, and so does everything between convolutions: quantising
    that too lost two points of mIoU and was slower.

    Args:
        source: an exported FP32 file.
        output: of the new file, which keeps the metadata of ``source``.
        calibration: inputs from which the ranges of activations are measured.
    """

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            inputs = next(calibration, None)
            return None if inputs is None else {"images": inputs.images, "rois": inputs.rois}

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(prepared),
            str(output),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[-1:],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    metadata = onnx.load(source).metadata_props
    proto = onnx.load(output)
    onnx.helper.set_model_props(proto, {entry.key: entry.value for entry in metadata})
    onnx.save(proto, output)


def check_agreement(source: Path, output: Path, precision: Precision, runs: Iterator[ModelInputs]) -> float:
    """Return the share, 0..1, of mask cells that two files decide alike.

    Args:
        source: the FP32 file.
        output: the converted file.
        precision: of the converted file.
        runs: the inputs that both are run on.

    Raises:
        ParityError: the share is below :data:`LEAST_AGREEMENT`.
    """
    alike, cells = 0, 0
    sessions = [ort.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (source, output)]
    outputs = {output.name for output in sessions[0].get_outputs()}
    name = next(output for output in MASK_OUTPUTS if output in outputs)
    for inputs in runs:
        feeds = {"images": inputs.images, "rois": inputs.rois}
        first, second = (logit_margins(session.run([name], feeds)[0]) > 0 for session in sessions)
        alike += int((first == second).sum())
        cells += first.size
    share = alike / max(1, cells)
    if share < LEAST_AGREEMENT[precision]:
        least = LEAST_AGREEMENT[precision]
        raise ParityError(f"{precision} and fp32 decide {share:.2%} of the cells alike; at least {least:.2%} is taken")
    return share


CONVOLUTIONS = ("Conv", "ConvTranspose")
STAY = ("RoiAlign", "Cast", "Range")
"""Operators that take coordinates, or whose attributes fix the type of their output: they stay FP32."""


def graph_to_fp16(graph: onnx.GraphProto) -> None:
    """Convert the part of a graph behind convolutions to FP16 in place, with casts where that part begins and ends.

    ONNX Runtime's own converter would round box coordinates first, and pass the rounded ones to the FP32 part.

    Args:
        graph: topologically sorted, with inferred types.
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
    casts: dict[tuple[str, int], str] = {}

    def cast(name: str, to: int) -> str:
        if (name, to) not in casts:
            casts[name, to] = f"{name}_as_{'fp16' if to == TensorProto.FLOAT16 else 'fp32'}"
            nodes.append(helper.make_node("Cast", [name], [casts[name, to]], to=to, name=f"cast_{casts[name, to]}"))
        return casts[name, to]

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
    """Return the name of a value's FP16 version; a graph output keeps its name for the FP32 version."""
    return f"{name}_in_half" if name in outputs else name


def _behind_convolutions(graph: onnx.GraphProto) -> set[int]:
    """Return the indices of the convolutions and of all nodes that their results reach, other than by their shape."""
    reached: set[str] = set()
    behind = set()
    for number, node in enumerate(graph.node):
        if node.op_type in CONVOLUTIONS or (reached & set(node.input) and node.op_type not in ("Shape", *STAY)):
            behind.add(number)
        if node.op_type in CONVOLUTIONS or (reached & set(node.input) and node.op_type != "Shape"):
            reached.update(node.output)
    return behind
