"""Converts exported files to FP16 (half as large) and INT8 (faster too), and checks that masks stay the same."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Iterator, Sequence
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
from hiseg.core.image import BoolMask, Floats, Size
from hiseg.engines.base import logit_margins
from hiseg.engines.contract import FOREGROUND_OUTPUT, MASK_OUTPUTS
from hiseg_training.data.coco import Photo
from hiseg_training.export.forms import Precision
from hiseg_training.export.onnx import example_inputs
from hiseg_training.export.parity import ParityError

LEAST_AGREEMENT = {Precision.FP16: 0.995, Precision.INT8: 0.97}
"""Least share, 0..1, of mask cells that must be decided as in FP32."""
CALIBRATION_PHOTOS = 64
ACTIVATIONS = ("Clip", "Relu")
"""Where these are quantised with the convolution before them, its range is what they leave: without them INT8 lost a
point of mIoU on a model with ReLU6."""
LEAST_WEIGHTS = 256
"""Fewest numbers of a tensor that is stored in FP16; smaller ones save nothing."""


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The inputs of one run of a model.

    Attributes:
        images: ``[B, 3, H, W]``, uint8 0..255 or float32 0..1 as the model takes them.
        rois: float32 ``[N, 5]``.
    """

    images: Any
    rois: Floats

    def feeds(self, names: Container[str]) -> dict[str, Any]:
        """Those of them that a graph takes, by name."""
        return {name: value for name, value in (("images", self.images), ("rois", self.rois)) if name in names}


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
    """Write a copy of an exported file whose weights are stored in FP16, and computed with in FP32.

    A runtime converts them once, while it opens the file: the graph is as fast as before on any processor, and differs
    only by the rounding of its weights. Biases and coordinates are few, and stay as they are.
    """
    proto = onnx.load(source)
    store_in_fp16(proto)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, output)


def store_in_fp16(proto: onnx.ModelProto, lossless: bool = False) -> None:
    """Store the weights of an FP32 graph in FP16, in place; a ``Cast`` behind each gives the graph FP32 again.

    Args:
        proto: the graph.
        lossless: leave the tensors as they are that FP16 can't hold to the last bit.
    """
    graph, casts = proto.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST_WEIGHTS:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):  # becomes infinite, which the lossless form leaves out
            halves = values.astype(np.float16)
        if lossless and not np.array_equal(halves, values):
            continue
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}_half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def stores_in_fp16(proto: onnx.ModelProto) -> bool:
    """Whether weights of a graph are stored as :func:`store_in_fp16` does it, which folding constants undoes."""
    halves = {tensor.name for tensor in proto.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    return any(node.op_type == "Cast" and node.input[0] in halves for node in proto.graph.node)


def to_int8(source: Path, output: Path, calibration: Iterator[ModelInputs]) -> None:
    """Write a copy of an exported file that computes in INT8, one scale per output channel of the weights.

    What is quantised are convolutions, the activations that limit what they give, and additions. What comes before the
    first convolution, coordinates and pixels, stays FP32, and so does the last one, which gives the logits.

    Args:
        source: an exported FP32 file.
        output: of the new file, which keeps the metadata of ``source``.
        calibration: inputs from which the ranges of activations are measured.
    """
    names = {tensor.name for tensor in onnx.load(source).graph.input}

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            inputs = next(calibration, None)
            return None if inputs is None else inputs.feeds(names)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", *ACTIVATIONS],
            nodes_to_exclude=_stay_fp32(onnx.load(prepared).graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    metadata = onnx.load(source).metadata_props
    proto = onnx.load(output)
    onnx.helper.set_model_props(proto, {entry.key: entry.value for entry in metadata})
    onnx.save(proto, output)


def _stay_fp32(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that INT8 leaves alone: what no convolution comes before, and the last convolution."""
    reached: set[str] = set()
    before, convolutions = [], []
    for node in graph.node:
        if node.op_type == "Conv":
            convolutions.append(node.name)
        elif node.op_type == "Shape" or reached.isdisjoint(node.input):
            before.append(node.name)
            continue
        reached.update(node.output)
    return before + convolutions[-1:]


def check_agreement(source: Path, output: Path, precision: Precision, runs: Iterator[ModelInputs]) -> float:
    """Return the share, 0..1, of cells of masks that two files decide alike; of the foreground where there are none.

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
    names = {tensor.name for tensor in sessions[0].get_inputs()}
    outputs = {output.name for output in sessions[0].get_outputs()}
    name = next(output for output in (*MASK_OUTPUTS, FOREGROUND_OUTPUT) if output in outputs)
    for inputs in runs:
        first, second = (decisions(name, session.run([name], inputs.feeds(names))[0]) for session in sessions)
        alike += int((first == second).sum())
        cells += first.size
    share = alike / max(1, cells)
    if share < LEAST_AGREEMENT[precision]:
        least = LEAST_AGREEMENT[precision]
        raise ParityError(f"{precision} and fp32 decide {share:.2%} of the cells alike; at least {least:.2%} is taken")
    return share


def decisions(name: str, values: Floats) -> BoolMask:
    """What an output of that name decides: whether a cell is the person, or anybody."""
    return np.asarray(values > 0.5 if name == FOREGROUND_OUTPUT else logit_margins(values) > 0)
