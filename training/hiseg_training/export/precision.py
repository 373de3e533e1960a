"""Smaller numbers: FP16 for GPUs, INT8 for CPUs, made from an exported file and held against it.

Only convolutions and what lies behind them is changed. Coordinates of people and the scaling of pictures come before
the first convolution and stay FP32: in FP16 a box of a canvas of 640 would jump by half a pixel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from hiseg.core.canvas import Size, choose_canvas, to_canvas
from hiseg.core.image import Floats
from hiseg.engines.base import logit_margins
from hiseg.engines.contract import MASK_OUTPUTS
from hiseg_training.data.coco import Photo
from hiseg_training.export.half import graph_to_fp16
from hiseg_training.export.onnx import example_inputs
from hiseg_training.export.parity import ParityError


class Precision(StrEnum):
    """Of weights and what is computed with them."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


LEAST_AGREEMENT = {Precision.FP16: 0.995, Precision.INT8: 0.97}
"""Share of the masks' cells that must be decided as in FP32."""
CALIBRATION_PHOTOS = 64


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """One run of a model: ``images`` as it takes them, ``rois`` float32 ``[N, 5]``."""

    images: Any
    rois: Floats


def photo_inputs(photos: Sequence[Photo], canvases: Sequence[Size], dtype: str) -> Iterator[ModelInputs]:
    """Photographs with their people, as a service would send them."""
    for photo in photos:
        placement = choose_canvas(photo.height, photo.width, tuple(canvases))
        rois = placement.rois([person.box for person in photo.people])
        images = to_canvas(photo.pixels(), placement)[None]
        numbered = np.concatenate([np.zeros((len(rois), 1), np.float32), rois], axis=1)
        yield ModelInputs(images if dtype == "uint8" else images.astype(np.float32) / 255, numbered.astype(np.float32))


def noise_inputs(canvases: Sequence[Size], dtype: str) -> Iterator[ModelInputs]:
    """Smooth noise on each canvas, with three people each; for those who have no photographs."""
    for seed, canvas in enumerate(canvases):
        images, rois = example_inputs((1, 3, *canvas), 3, seed, dtype)
        yield ModelInputs(images.numpy(), rois.numpy())


def to_fp16(source: Path, output: Path) -> None:
    """Write ``source`` in FP16 from the first convolutions on; inputs and outputs stay as they are."""
    proto = onnx.shape_inference.infer_shapes(onnx.load(source))
    graph_to_fp16(proto.graph)
    del proto.graph.value_info[:]  # of types that are no more
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, output)


def to_int8(source: Path, output: Path, calibration: Iterator[ModelInputs]) -> None:
    """Write ``source`` with convolutions in INT8, a scale for each channel of the weights.

    The last convolution, which gives the logits, stays as it is; so does everything between convolutions: quantised as
    well it lost two points of mIoU and was slower.

    Args:
        source: an exported FP32 file.
        output: of the new one; it says what ``source`` says about itself.
        calibration: what shows how large numbers get.
    """

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            question = next(calibration, None)
            return None if question is None else {"images": question.images, "rois": question.rois}

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
    said = onnx.load(source).metadata_props
    proto = onnx.load(output)
    onnx.helper.set_model_props(proto, {entry.key: entry.value for entry in said})
    onnx.save(proto, output)


def check_agreement(source: Path, output: Path, precision: Precision, asked: Iterator[ModelInputs]) -> float:
    """Share of the masks' cells that both files decide alike.

    Raises:
        ParityError: it is under :data:`LEAST_AGREEMENT`.
    """
    alike, cells = 0, 0
    sessions = [ort.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (source, output)]
    there = {output.name for output in sessions[0].get_outputs()}
    name = next(output for output in MASK_OUTPUTS if output in there)
    for question in asked:
        given = {"images": question.images, "rois": question.rois}
        first, second = (logit_margins(session.run([name], given)[0]) > 0 for session in sessions)
        alike += int((first == second).sum())
        cells += first.size
    share = alike / max(1, cells)
    if share < LEAST_AGREEMENT[precision]:
        least = LEAST_AGREEMENT[precision]
        raise ParityError(f"{precision} and fp32 decide {share:.2%} of the cells alike; at least {least:.2%} is taken")
    return share
